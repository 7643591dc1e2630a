//! How a stream and a connection are doing.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Range, TimeRange};

/// The payload of a `stream_status` message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamStatusMessage {
    /// Name of the stream.
    pub stream: Arc<str>,
    /// What happened to it.
    #[serde(flatten)]
    pub status: StreamStatus,
}

/// What happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StreamStatus {
    /// Reading began, of the given range where the stream has one.
    Start {
        /// The range of `created` that is being read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_range: Option<TimeRange>,
        /// Why, where that is not a matter of course; upstream's clients do not know it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Everything within a part of the range was emitted.
    RangeComplete {
        /// The part.
        range_complete: Range,
    },
    /// Everything was emitted.
    Complete,
    /// Reading or writing the stream failed; other streams go on.
    Error {
        /// What went wrong and what to do.
        error: String,
    },
    /// The stream cannot be read with this account or key, and that is not a failure.
    Skip {
        /// Why.
        reason: String,
    },
}

impl StreamStatus {
    /// Whether nothing more follows for the stream.
    pub fn is_terminal(&self) -> bool {
        matches!(self, StreamStatus::Complete | StreamStatus::Error { .. } | StreamStatus::Skip { .. })
    }
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It works.
    Succeeded,
    /// It does not.
    Failed,
}

/// The payload of a `connection_status` message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionStatus {
    /// Whether the connection works.
    pub status: ConnectionState,
    /// Why not, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ConnectionStatus {
    /// The connection works.
    pub fn succeeded() -> ConnectionStatus {
        ConnectionStatus { status: ConnectionState::Succeeded, message: None }
    }

    /// The connection does not work, with the reason and what to do.
    pub fn failed(message: impl Into<String>) -> ConnectionStatus {
        ConnectionStatus { status: ConnectionState::Failed, message: Some(message.into()) }
    }
}
