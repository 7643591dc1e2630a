//! The messages themselves.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    CatalogMessage, ConnectionStatus, Control, Eof, Log, LogLevel, ProgressPayload, RawJson,
    SourceStateMessage, StreamStatus, StreamStatusMessage, Timestamp,
};

/// One message: a payload in its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What is said.
    pub payload: Payload,
    /// Who said it, as the engine knows it: `source/<type>`, `destination/<type>` or `engine`.
    pub emitted_by: Option<Arc<str>>,
    /// When the engine saw it.
    pub ts: Option<Timestamp>,
}

/// What a message says. The wire name of each is the variant's in snake case.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// One object of a stream, or its deletion.
    Record(Record),
    /// Where the source stands.
    SourceState(SourceStateMessage),
    /// What the source offers.
    Catalog(CatalogMessage),
    /// A line for the log.
    Log(Log),
    /// What a connector can be told.
    Spec(Box<ConnectorSpec>),
    /// Whether the connection works.
    ConnectionStatus(ConnectionStatus),
    /// How a stream is doing.
    StreamStatus(StreamStatusMessage),
    /// A connector's configuration has changed.
    Control(Control),
    /// How the run is doing.
    Progress(Box<ProgressPayload>),
    /// The request is over.
    Eof(Eof),
    /// Something pushed into the source, such as a webhook's event.
    SourceInput(RawJson),
}

impl Payload {
    /// The value of `type` on the wire.
    pub fn type_name(&self) -> &'static str {
        match self {
            Payload::Record(_) => "record",
            Payload::SourceState(_) => "source_state",
            Payload::Catalog(_) => "catalog",
            Payload::Log(_) => "log",
            Payload::Spec(_) => "spec",
            Payload::ConnectionStatus(_) => "connection_status",
            Payload::StreamStatus(_) => "stream_status",
            Payload::Control(_) => "control",
            Payload::Progress(_) => "progress",
            Payload::Eof(_) => "eof",
            Payload::SourceInput(_) => "source_input",
        }
    }

    /// The stream that the message is about, if it is about one.
    pub fn stream(&self) -> Option<&Arc<str>> {
        match self {
            Payload::Record(record) => Some(&record.stream),
            Payload::SourceState(SourceStateMessage::Stream { stream, .. }) => Some(stream),
            Payload::StreamStatus(status) => Some(&status.stream),
            _ => None,
        }
    }
}

impl From<Payload> for Message {
    fn from(payload: Payload) -> Message {
        Message { payload, emitted_by: None, ts: None }
    }
}

impl Message {
    /// A `log` message without fields.
    pub fn log(level: LogLevel, message: impl Into<String>) -> Message {
        Payload::Log(Log { level, message: message.into(), data: None }).into()
    }

    /// A `stream_status` message.
    pub fn stream_status(stream: &Arc<str>, status: StreamStatus) -> Message {
        Payload::StreamStatus(StreamStatusMessage { stream: Arc::clone(stream), status }).into()
    }

    /// A `connection_status` message.
    pub fn connection_status(status: ConnectionStatus) -> Message {
        Payload::ConnectionStatus(status).into()
    }

    /// A `source_state` message for one stream.
    pub fn stream_state(stream: &Arc<str>, data: RawJson) -> Message {
        Payload::SourceState(SourceStateMessage::Stream { stream: Arc::clone(stream), data }).into()
    }
}

/// The payload of a `record` message.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub struct Record {
    /// Name of the stream.
    #[schemars(with = "String")]
    pub stream: Arc<str>,
    /// The object, as text; always a JSON object.
    #[schemars(with = "Map<String, Value>")]
    pub data: RawJson,
    /// Whether the object is gone: the destination deletes it by its primary key.
    #[schemars(rename = "recordDeleted", with = "Option<bool>")]
    pub deleted: bool,
    /// When the source emitted it.
    pub emitted_at: Timestamp,
}

/// The payload of a `spec` message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorSpec {
    /// JSON Schema of the connector's configuration.
    pub config: Map<String, Value>,
    /// JSON Schema of one stream's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_state_stream: Option<Map<String, Value>>,
    /// JSON Schema of push input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_input: Option<Map<String, Value>>,
    /// Share of the time limit after which the source is no longer read, so that the destination
    /// has the rest to flush; above 0, at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "fraction")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub soft_limit_fraction: Option<f64>,
}

impl ConnectorSpec {
    /// A spec whose configuration schema is derived from `C`.
    pub fn of_config<C: JsonSchema>() -> ConnectorSpec {
        ConnectorSpec {
            config: crate::schema::schema_of::<C>(),
            source_state_stream: None,
            source_input: None,
            soft_limit_fraction: None,
        }
    }
}

fn fraction<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let fraction = Option::<f64>::deserialize(deserializer)?;
    match fraction {
        Some(value) if !(value > 0.0 && value <= 1.0) => {
            Err(serde::de::Error::custom("`soft_limit_fraction` must be above 0 and at most 1"))
        }
        other => Ok(other),
    }
}
