//! Failures of an engine elsewhere: over HTTP they are messages, for its callers they are errors again.

use async_stream::try_stream;
use futures::StreamExt;
use protocol::{ConnectionState, LogLevel, Message, Payload};

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
                    Err(EngineError::Remote(format!("the engine at {url}: {reason}")))?;
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

/// Why a connection failed, if that is what the message tells.
fn failure(message: &Message) -> Option<&str> {
    let Payload::ConnectionStatus(status) = &message.payload else { return None };
    let failed = status.status == ConnectionState::Failed;
    failed.then(|| status.message.as_deref().unwrap_or("the connection failed"))
}
