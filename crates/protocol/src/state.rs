//! Where a sync stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{ProgressPayload, RawJson, Timestamp};

/// The payload of a `source_state` message. The data is opaque to everyone but the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state_type", rename_all = "snake_case")]
pub enum SourceStateMessage {
    /// Where one stream stands.
    Stream {
        /// Name of the stream.
        stream: Arc<str>,
        /// The source's own data.
        #[schemars(with = "serde_json::Value")]
        data: RawJson,
    },
    /// Where the source stands as a whole; covers the records of all streams so far.
    Global {
        /// The source's own data.
        #[schemars(with = "serde_json::Value")]
        data: RawJson,
    },
}

impl<'de> Deserialize<'de> for SourceStateMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            state_type: Option<String>,
            stream: Option<Arc<str>>,
            data: RawJson,
        }
        let wire = Wire::deserialize(deserializer)?;
        // Messages from before `state_type` are states of a stream.
        match (wire.state_type.as_deref(), wire.stream) {
            (None | Some("stream"), Some(stream)) => {
                Ok(SourceStateMessage::Stream { stream, data: wire.data })
            }
            (None | Some("stream"), None) => Err(serde::de::Error::missing_field("stream")),
            (Some("global"), _) => Ok(SourceStateMessage::Global { data: wire.data }),
            (Some(other), _) => Err(serde::de::Error::unknown_variant(other, &["stream", "global"])),
        }
    }
}

/// All that a source has said about where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceState {
    /// Per stream.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub streams: BTreeMap<String, RawJson>,
    /// The source as a whole: an object, empty at first.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub global: RawJson,
}

impl Default for SourceState {
    fn default() -> SourceState {
        SourceState { streams: BTreeMap::new(), global: empty_object() }
    }
}

impl SourceState {
    /// Takes in what a `source_state` message says.
    pub fn apply(&mut self, message: &SourceStateMessage) {
        match message {
            SourceStateMessage::Stream { stream, data } => {
                self.streams.insert(stream.to_string(), data.clone());
            }
            SourceStateMessage::Global { data } => self.global = data.clone(),
        }
    }
}

/// The state of a sync: what a client keeps and sends back to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncState {
    /// The source's cursors.
    pub source: SourceState,
    /// Carried; no destination writes it.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub destination: RawJson,
    /// The run, which may span several requests.
    pub sync_run: SyncRunState,
}

impl SyncState {
    /// The state before anything was done.
    pub fn empty() -> SyncState {
        SyncState {
            source: SourceState::default(),
            destination: empty_object(),
            sync_run: SyncRunState { run_id: None, time_ceiling: None, progress: ProgressPayload::empty() },
        }
    }
}

/// A run: the requests that share a `run_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SyncRunState {
    /// The client's name for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Upper bound of `created` for the whole run, so that its end does not move.
    #[serde(
        default,
        deserialize_with = "Timestamp::deserialize_optional_bound",
        skip_serializing_if = "Option::is_none"
    )]
    pub time_ceiling: Option<Timestamp>,
    /// What the run has done so far.
    pub progress: ProgressPayload,
}

pub(crate) fn empty_object() -> RawJson {
    RawJson::from_trusted(bytes::Bytes::from_static(b"{}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_without_type_belongs_to_a_stream() {
        let legacy: SourceStateMessage = serde_json::from_str(r#"{"stream":"charge","data":[1]}"#).unwrap();
        assert!(matches!(legacy, SourceStateMessage::Stream { .. }));
        let error = serde_json::from_str::<SourceStateMessage>(r#"{"state_type":"table","data":1}"#);
        assert!(error.unwrap_err().to_string().contains("table"));
        assert!(serde_json::from_str::<SourceStateMessage>(r#"{"data":1}"#).is_err());
    }

    #[test]
    fn states_keep_their_digits() {
        let text = r#"{"streams":{"a":{"n":10000000000000000000000.0}},"global":{}}"#;
        let state: SourceState = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
    }
}
