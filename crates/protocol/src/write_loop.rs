//! The part of `write` that is the same for every destination: batching, order, hand-back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument, Span};

use crate::batch::Batches;
use crate::{
    Batch, BatchLimits, BatchWriter, ConnectorError, Message, MessageStream, Payload, SourceStateMessage,
    StreamStatus, TRACE,
};

type Committed = (Arc<Batch>, Outcome);

/// What became of a batch.
enum Outcome {
    Durable,
    Failed(ConnectorError),
    /// The batch before it failed.
    Abandoned,
}

enum Step {
    Input(Option<Result<Message, ConnectorError>>),
    Committed(Result<Committed, JoinError>),
    Due,
}

/// Writes `input` through `writer` and hands every message back as [`crate::Destination::write`] asks.
///
/// Batches of different streams are written at once, those of one stream one after the other; the next one is
/// prepared meanwhile. When the input fails, what came before is written first. Dropping the stream aborts
/// what is in flight.
pub fn write_batches<W: BatchWriter>(
    writer: Arc<W>,
    limits: BatchLimits,
    mut input: MessageStream,
) -> MessageStream {
    Box::pin(async_stream::stream! {
        let mut batches = Batches::new(limits);
        let mut commits: JoinSet<Committed> = JoinSet::new();
        // The turns of the batches that are prepared behind one in flight.
        let mut behind: HashMap<Arc<str>, oneshot::Sender<()>> = HashMap::new();
        let mut ended = false;
        let mut failure = None;
        // Handed back while the next batches are written already.
        let mut returning: VecDeque<Message> = VecDeque::new();
        loop {
            while let Some(batch) = batches.next_batch(Instant::now(), ended) {
                if !batch.needs_commit() {
                    batches.finished(&batch, true);
                    returning.extend(batch.messages().iter().cloned());
                    continue;
                }
                let (go, turn) = oneshot::channel();
                if batch.is_ahead() {
                    behind.insert(Arc::clone(batch.stream()), go);
                } else {
                    // Somebody waits, so this cannot fail.
                    let _ = go.send(());
                }
                let span = tracing::info_span!(
                    target: TRACE,
                    "write_batch",
                    stream = %batch.stream(),
                    bytes = batch.bytes(),
                    otel.status_code = tracing::field::Empty,
                );
                // What is said of a batch is said of the request that it belongs to.
                let span = if span.is_disabled() { Span::current() } else { span };
                commits.spawn(write(Arc::clone(&writer), Arc::new(batch), turn).instrument(span));
            }
            while let Some(message) = returning.pop_front() {
                yield Ok(message);
            }
            while let Some(global) = batches.next_global() {
                if let Payload::SourceState(SourceStateMessage::Global { data }) = &global.payload
                    && let Err(error) = writer.commit_global(data.clone()).await
                {
                    yield Err(error);
                    return;
                }
                yield Ok(global);
            }
            if ended && commits.is_empty() && batches.is_empty() {
                break;
            }
            let due = batches.deadline().filter(|_| batches.has_free_writer());
            let step = tokio::select! {
                biased;
                Some(joined) = commits.join_next() => Step::Committed(joined),
                message = input.next(), if !ended && !batches.is_full() => Step::Input(message),
                () = sleep_until(due) => Step::Due,
            };
            match step {
                Step::Due => {}
                Step::Input(None) => ended = true,
                Step::Input(Some(Err(error))) => {
                    ended = true;
                    failure = Some(error);
                }
                Step::Input(Some(Ok(message))) => {
                    if let Some(message) = batches.push(message, Instant::now()) {
                        yield Ok(message);
                    }
                }
                Step::Committed(Ok((batch, outcome))) => {
                    let next = behind.remove(batch.stream());
                    if batches.finished(&batch, matches!(outcome, Outcome::Durable))
                        && let Some(next) = next
                    {
                        let _ = next.send(());
                    }
                    match outcome {
                        Outcome::Durable => returning.extend(batch.messages().iter().cloned()),
                        Outcome::Failed(error) => {
                            tracing::info!(stream = &**batch.stream(), error = &error as &dyn std::error::Error, "write failed");
                            let status = StreamStatus::Error { error: error.to_string() };
                            returning.push_back(Message::stream_status(batch.stream(), status));
                        }
                        Outcome::Abandoned => {}
                    }
                }
                Step::Committed(Err(error)) => {
                    yield Err(ConnectorError::internal("a writer stopped unexpectedly").caused_by(error));
                    return;
                }
            }
        }
        if let Some(error) = failure {
            yield Err(error);
        }
    })
}

/// Prepares a batch, and writes it when it is its turn: never, where the batch before failed.
async fn write<W: BatchWriter>(writer: Arc<W>, batch: Arc<Batch>, turn: oneshot::Receiver<()>) -> Committed {
    let prepared = writer.prepare(&batch);
    let outcome = match (turn.await, prepared) {
        (Err(_), _) => Outcome::Abandoned,
        (Ok(()), Err(error)) => Outcome::Failed(error),
        (Ok(()), Ok(prepared)) => match writer.commit(Arc::clone(&batch), prepared).await {
            Ok(()) => Outcome::Durable,
            Err(error) => {
                Span::current().record("otel.status_code", "ERROR");
                Outcome::Failed(error)
            }
        },
    };
    (batch, outcome)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
