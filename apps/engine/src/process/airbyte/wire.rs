//! Messages as Airbyte's sources write them. What they carry besides is ignored.

use std::borrow::Cow;

use protocol::LogLevel;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A line of stdout.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) record: Option<Record<'a>>,
    pub(super) state: Option<State>,
    pub(super) log: Option<Log>,
    pub(super) trace: Option<Trace>,
    pub(super) catalog: Option<Catalog>,
    pub(super) spec: Option<Spec>,
    #[serde(rename = "connectionStatus")]
    pub(super) connection_status: Option<Status>,
    pub(super) control: Option<Control>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) stream: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
    /// Milliseconds since 1970; some connectors write fractions.
    pub(super) emitted_at: f64,
}

/// Which stream is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Descriptor {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct State {
    /// `STREAM`, `GLOBAL` or `LEGACY`; states of old connectors have none.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) stream: Option<StreamState>,
    pub(super) global: Option<Box<RawValue>>,
    pub(super) data: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StreamState {
    pub(super) stream_descriptor: Descriptor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stream_state: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Log {
    pub(super) level: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) stack_trace: Option<String>,
}

impl Log {
    pub(super) fn level(&self) -> LogLevel {
        match self.level.as_str() {
            "FATAL" | "ERROR" => LogLevel::Error,
            "WARN" => LogLevel::Warn,
            "INFO" => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Trace {
    pub(super) error: Option<TraceError>,
    pub(super) estimate: Option<Map<String, Value>>,
    pub(super) stream_status: Option<TraceStatus>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TraceError {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) internal_message: Option<String>,
    #[serde(default)]
    pub(super) stack_trace: Option<String>,
    /// `system_error`, `config_error` or `transient_error`.
    #[serde(default)]
    pub(super) failure_type: Option<String>,
    #[serde(default)]
    pub(super) stream_descriptor: Option<Descriptor>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TraceStatus {
    pub(super) stream_descriptor: Descriptor,
    /// `STARTED`, `RUNNING`, `COMPLETE` or `INCOMPLETE`.
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Catalog {
    pub(super) streams: Vec<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Spec {
    #[serde(rename = "connectionSpecification")]
    pub(super) connection_specification: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    /// `SUCCEEDED` or `FAILED`.
    pub(super) status: String,
    #[serde(default)]
    pub(super) message: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Control {
    #[serde(rename = "connectorConfig", alias = "connector_config")]
    pub(super) connector_config: Option<ConnectorConfig>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConnectorConfig {
    pub(super) config: Map<String, Value>,
}
