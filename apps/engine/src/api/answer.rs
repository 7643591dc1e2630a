//! The messages of an operation as the lines of an answer, with the log entries that were made on the way.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt;
use http_api::Lines;
use logger::{RequestLog, SERVER_ONLY};
use protocol::{ConnectionState, ConnectionStatus, Eof, Log, LogLevel, Message, Payload, Timestamp};
use serde_json::Map;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use super::gauges::Heard;
use crate::remote_failures::KIND;
use crate::{EngineError, EngineStream};

/// What is told to the client of one operation.
pub struct Answer {
    messages: Option<EngineStream>,
    /// What is still to be said after a failure.
    ending: VecDeque<Message>,
    log: Arc<RequestLog>,
    span: Span,
    heard: Option<Heard>,
    started: Instant,
    /// Whether its early end is worth a warning.
    watched: bool,
    said_something: bool,
    said_failed: bool,
    ended: bool,
    beating: Option<AbortOnDropHandle<()>>,
}

/// How often an operation that is watched says in the server's log that it goes on.
const BEAT: Duration = Duration::from_secs(1);

impl Answer {
    /// The answer of an operation that may not even begin. A `watched` one says when its client goes away.
    pub fn new(messages: Result<EngineStream, EngineError>, log: Arc<RequestLog>, watched: bool) -> Answer {
        let messages = messages.unwrap_or_else(|error| futures::stream::iter([Err(error)]).boxed());
        Answer {
            messages: Some(messages),
            ending: VecDeque::new(),
            span: log.span(),
            log,
            heard: None,
            started: Instant::now(),
            watched,
            said_something: false,
            said_failed: false,
            ended: false,
            beating: None,
        }
    }

    /// The same, counted.
    pub(super) fn counted(mut self, heard: Heard) -> Answer {
        self.heard = Some(heard);
        self
    }

    /// Says in the server's log, every second until the end, that the operation goes on: also while the client reads nothing.
    pub(super) fn beating(mut self, operation: &'static str) -> Answer {
        let started = self.started;
        let beats = async move {
            let mut ticks = tokio::time::interval_at((started + BEAT).into(), BEAT);
            loop {
                ticks.tick().await;
                let elapsed_ms = milliseconds(started.elapsed());
                tracing::info!(target: SERVER_ONLY, elapsed_ms, "{operation} heartbeat");
            }
        };
        self.beating = Some(AbortOnDropHandle::new(tokio::spawn(beats.instrument(self.span.clone()))));
        self
    }

    /// Entries made while a message was produced come before it.
    fn tell_entries(&mut self, out: &mut Vec<u8>) -> bool {
        let entries = self.log.take();
        for entry in &entries {
            self.tell(entry, out);
        }
        !entries.is_empty()
    }

    fn tell(&mut self, message: &Message, out: &mut Vec<u8>) {
        let begun = out.len();
        if let Err(error) = protocol::encode_line(message, out) {
            out.truncate(begun);
            tracing::error!(target: SERVER_ONLY, error = &error as &dyn Error, "a message cannot be written");
            return;
        }
        self.said_something = true;
        if let Some(heard) = &self.heard {
            heard.message();
        }
        match &message.payload {
            Payload::ConnectionStatus(status) => self.said_failed |= status.status == ConnectionState::Failed,
            Payload::Eof(Eof::Sync(eof)) => {
                if let Some(heard) = &self.heard {
                    heard.records(eof.request_progress.derived.total_record_count);
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self, error: &EngineError) {
        let mut cause = Error::source(error);
        while let Some(error) = cause {
            tracing::debug!(target: SERVER_ONLY, error, "caused by");
            cause = error.source();
        }
        let text = logger::redact_text(&error.to_string()).into_owned();
        tracing::error!(target: SERVER_ONLY, "{text}");
        if !self.said_failed {
            let now = Some(Timestamp::now());
            let failed = ConnectionStatus::failed(text.clone());
            // For clients that are engines, too: whether trying again can help.
            let data = Map::from_iter([(KIND.to_owned(), error.kind().as_str().into())]);
            let log = Log { level: LogLevel::Error, message: text, data: Some(data) };
            self.ending.push_back(Message { ts: now, ..Payload::Log(log).into() });
            self.ending.push_back(Message { ts: now, ..Message::connection_status(failed) });
        }
    }
}

impl Lines for Answer {
    fn poll_lines(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<()>> {
        let span = self.span.clone();
        let _within = span.enter();
        let Some(messages) = &mut self.messages else {
            let Some(message) = self.ending.pop_front() else {
                self.ended = true;
                return Poll::Ready(None);
            };
            self.tell(&message, out);
            return Poll::Ready(Some(()));
        };
        self.log.wake_on_entry(context);
        match messages.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(message))) => {
                self.tell_entries(out);
                // The client hears it once, as the message that it is.
                if let Payload::Log(log) = &message.payload {
                    relog(log, message.emitted_by.is_some());
                }
                self.tell(&message, out);
                Poll::Ready(Some(()))
            }
            Poll::Ready(Some(Err(error))) => {
                self.messages = None;
                self.tell_entries(out);
                self.fail(&error);
                Poll::Ready(Some(()))
            }
            Poll::Ready(None) => {
                self.messages = None;
                // After the last message nothing is said any more; without one, this is all there is.
                if !self.said_something {
                    self.tell_entries(out);
                }
                Poll::Ready(Some(()))
            }
            Poll::Pending if self.tell_entries(out) => Poll::Ready(Some(())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The server's log has what the engine itself says as a sentence, without the whole report of a comparison.
fn relog(log: &Log, is_own: bool) {
    match is_own {
        true => logger::relog_on_server(&Log { data: None, ..log.clone() }),
        false => logger::relog_on_server(log),
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let span = self.span.clone();
        let _within = span.enter();
        if self.watched && !self.ended {
            let elapsed_ms = milliseconds(self.started.elapsed());
            tracing::warn!(event = "SYNC_CLIENT_DISCONNECT", elapsed_ms, "SYNC_CLIENT_DISCONNECT");
            if let Some(heard) = &self.heard {
                heard.gone();
            }
        }
        // Dropping it ends the work, within the span of the request.
        self.messages = None;
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
