//! Failures of an engine elsewhere: over HTTP they are messages, for its callers they are errors again.

use async_stream::try_stream;
use futures::StreamExt;
use protocol::{ConnectionState, ErrorKind, LogLevel, Message, Payload};

use crate::remote::RemoteEngine;
use crate::{EngineError, EngineStream};

/// When a failed connection is the end of an answer. Before the `eof` of a sync it is part of what the sync tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Always.
    AtAnyTime,
    /// After an `eof`.
    AfterEof,
}

impl RemoteEngine {
    /// The messages, with failures as errors.
    pub fn failing(&self, mut messages: EngineStream, failed: Failed) -> EngineStream {
        let url = self.address().to_owned();
        Box::pin(try_stream! {
            let mut decisive = failed == Failed::AtAnyTime;
            // The same words come as a log before.
            let mut held: Option<Message> = None;
            while let Some(message) = messages.next().await {
                let message = message?;
                if decisive && let Some(reason) = failure(&message) {
                    let text = format!("the engine at {url}: {reason}");
                    Err(match held.as_ref().and_then(kind) {
                        Some(kind) => EngineError::Told { kind, text },
                        None => EngineError::Remote(text),
                    })?;
                }
                if let Some(held) = held.take() {
                    yield held;
                }
                decisive |= matches!(message.payload, Payload::Eof(_));
                match &message.payload {
                    Payload::Log(log) if decisive && log.level == LogLevel::Error => held = Some(message),
                    _ => yield message,
                }
            }
            if let Some(held) = held {
                yield held;
            }
        })
    }
}

/// Under which the log of a failure names its kind.
pub(crate) const KIND: &str = "kind";

/// What sort of failure a log tells of, where it says so.
fn kind(message: &Message) -> Option<ErrorKind> {
    let Payload::Log(log) = &message.payload else { return None };
    ErrorKind::parse(log.data.as_ref()?.get(KIND)?.as_str()?)
}

/// Why a connection failed, if that is what the message tells.
fn failure(message: &Message) -> Option<&str> {
    let Payload::ConnectionStatus(status) = &message.payload else { return None };
    let failed = status.status == ConnectionState::Failed;
    failed.then(|| status.message.as_deref().unwrap_or("the connection failed"))
}
