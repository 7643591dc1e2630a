//! The part of `write` that is the same for every destination: batching, order, hand-back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio::task::{JoinError, JoinSet};

use crate::batch::Batches;
use crate::{
    Batch, BatchLimits, BatchWriter, ConnectorError, Message, MessageStream, Payload, SourceStateMessage,
    StreamStatus,
};

type Committed = (Arc<Batch>, Result<(), ConnectorError>);

enum Step {
    Input(Option<Result<Message, ConnectorError>>),
    Committed(Result<Committed, JoinError>),
    Due,
}

/// Writes `input` through `writer` and hands every message back as [`crate::Destination::write`] asks.
///
/// Batches of different streams are written at once, those of one stream one after the other. When
/// the input fails, what came before is written first. Dropping the stream aborts what is in flight.
pub fn write_batches<W: BatchWriter>(
    writer: Arc<W>,
    limits: BatchLimits,
    mut input: MessageStream,
) -> MessageStream {
    Box::pin(async_stream::stream! {
        let mut batches = Batches::new(limits);
        let mut commits: JoinSet<Committed> = JoinSet::new();
        let mut ended = false;
        let mut failure = None;
        // Handed back while the next batches are written already.
        let mut returning: VecDeque<Message> = VecDeque::new();
        loop {
            while commits.len() < limits.writers.max(1) {
                let Some(batch) = batches.next_batch(Instant::now(), ended) else { break };
                if !batch.needs_commit() {
                    batches.finished(&batch, true);
                    returning.extend(batch.messages().iter().cloned());
                    continue;
                }
                let (writer, batch) = (Arc::clone(&writer), Arc::new(batch));
                commits.spawn(async move {
                    let result = writer.commit(Arc::clone(&batch)).await;
                    (batch, result)
                });
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
            let due = batches.deadline().filter(|_| commits.len() < limits.writers.max(1));
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
                Step::Committed(Ok((batch, Ok(())))) => {
                    batches.finished(&batch, true);
                    returning.extend(batch.messages().iter().cloned());
                }
                Step::Committed(Ok((batch, Err(error)))) => {
                    batches.finished(&batch, false);
                    tracing::info!(stream = &**batch.stream(), error = &error as &dyn std::error::Error, "write failed");
                    let status = StreamStatus::Error { error: error.to_string() };
                    returning.push_back(Message::stream_status(batch.stream(), status));
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

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
