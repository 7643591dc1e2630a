//! What of a source's messages reaches the destination.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::{ConfiguredCatalog, ConnectorError, Message, Payload, SourceStateMessage};

use crate::Projection;

/// Lets through what belongs to the catalog, and applies field selections.
///
/// A payload stays whole unless its stream has a selection; what a deletion says is never stored, so it always does
/// (and a sweep can be told). Records and states of streams that are
/// not in the catalog are dropped; that is logged once per stream.
pub(crate) struct Delivery {
    streams: HashMap<Arc<str>, Option<Projection>>,
    refused: HashSet<Arc<str>>,
}

impl Delivery {
    pub(crate) fn new(catalog: &ConfiguredCatalog) -> Delivery {
        let streams = catalog
            .streams
            .iter()
            .map(|configured| (Arc::clone(&configured.stream.name), Projection::of(configured)))
            .collect();
        Delivery { streams, refused: HashSet::new() }
    }

    /// The message as the destination gets it; `None` where it must not.
    pub(crate) fn admit(&mut self, mut message: Message) -> Result<Option<Message>, ConnectorError> {
        let stream = match &mut message.payload {
            Payload::Record(record) => match self.streams.get(&record.stream) {
                Some(None) => return Ok(Some(message)),
                Some(Some(_)) if record.deleted => return Ok(Some(message)),
                Some(Some(projection)) => {
                    record.data = projection.apply(&record.data).map_err(|error| {
                        let text = format!("a record of stream `{}` is not an object", record.stream);
                        ConnectorError::internal(text).caused_by(error)
                    })?;
                    return Ok(Some(message));
                }
                None => Arc::clone(&record.stream),
            },
            Payload::SourceState(SourceStateMessage::Stream { stream, .. }) => {
                if self.streams.contains_key(stream) {
                    return Ok(Some(message));
                }
                Arc::clone(stream)
            }
            _ => return Ok(Some(message)),
        };
        if self.refused.insert(Arc::clone(&stream)) {
            tracing::error!(stream = &*stream, "Unknown stream not in catalog");
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::configure;
    use protocol::{CatalogMessage, StreamSelection};
    use serde_json::json;

    fn delivery() -> Delivery {
        let offered: CatalogMessage = serde_json::from_value(json!({"streams": [
            {"name": "whole", "primary_key": [["id"]], "newer_than_field": "_updated_at",
             "json_schema": {"properties": {"id": {}}}},
            {"name": "part", "primary_key": [["id"]], "newer_than_field": "_updated_at"},
        ]}))
        .unwrap();
        let selections: Vec<StreamSelection> =
            serde_json::from_value(json!([{"name": "whole"}, {"name": "part", "fields": ["email"]}]))
                .unwrap();
        Delivery::new(&configure(&offered, &selections).unwrap().destination)
    }

    fn admit(message: serde_json::Value) -> Option<serde_json::Value> {
        let message = serde_json::from_value(message).unwrap();
        delivery().admit(message).unwrap().map(|message| serde_json::to_value(message).unwrap())
    }

    fn record(stream: &str) -> serde_json::Value {
        json!({"type": "record", "record": {
            "stream": stream,
            "data": {"id": "a", "email": "e", "new": 1, "deleted": true, "_updated_at": 1},
            "emitted_at": "2026-01-01T00:00:00.000Z",
        }})
    }

    #[test]
    fn payloads_stay_whole_without_a_selection() {
        assert_eq!(admit(record("whole")), Some(record("whole")));
    }

    #[test]
    fn a_selection_keeps_fields_key_and_version() {
        let admitted = admit(record("part")).unwrap();
        assert_eq!(admitted["record"]["data"], json!({"id": "a", "email": "e", "_updated_at": 1}));
    }

    #[test]
    fn deletions_and_sweeps_stay_whole() {
        let mut sweep = record("part");
        sweep["record"]["data"] =
            json!({"id": "", "_parent_id": "p", "_keep": ["a"], "_updated_at": 1, "_account_id": "x"});
        sweep["record"]["recordDeleted"] = json!(true);
        assert_eq!(admit(sweep.clone()), Some(sweep));
    }

    #[test]
    fn a_child_keeps_its_parent() {
        let mut child = record("part");
        child["record"]["data"]["_parent_id"] = json!("p");
        let data = admit(child).unwrap()["record"]["data"].clone();
        assert_eq!(data, json!({"id": "a", "email": "e", "_updated_at": 1, "_parent_id": "p"}));
    }

    #[test]
    fn unknown_streams_are_dropped_and_all_else_passes() {
        assert_eq!(admit(record("other")), None);
        let state = |state| json!({"type": "source_state", "source_state": state});
        assert_eq!(admit(state(json!({"state_type": "stream", "stream": "other", "data": 1}))), None);
        for message in [
            state(json!({"state_type": "stream", "stream": "whole", "data": 1})),
            state(json!({"state_type": "global", "data": {"cursor": 1}})),
            json!({"type": "stream_status", "stream_status": {"stream": "other", "status": "complete"}}),
            json!({"type": "log", "log": {"level": "info", "message": "m"}}),
            json!({"type": "connection_status", "connection_status": {"status": "succeeded"}}),
        ] {
            assert_eq!(admit(message.clone()), Some(message));
        }
    }
}
