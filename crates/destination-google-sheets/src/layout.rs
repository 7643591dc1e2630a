//! What a stream needs of its tab. Decides only.

use std::sync::Arc;

use protocol::{ConfiguredStream, PARENT_ID};
use serde_json::{Map, Value};

/// When a row was written; ours, whatever the payload says.
pub(crate) const SYNCED_AT: &str = "_synced_at";

/// How a stream is stored.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) stream: Arc<str>,
    /// The primary key fields.
    pub(crate) key: Vec<String>,
    /// The field that tells a newer version from an older one.
    pub(crate) newer_than: String,
    /// The columns that setup makes, in their order.
    pub(crate) columns: Vec<String>,
    /// Columns that hold one of a list of texts.
    pub(crate) enums: Vec<(String, Vec<String>)>,
}

impl Layout {
    /// The layout of a stream: the key first, so that `A` tells rows apart, then the properties of the schema in its order.
    pub(crate) fn of(configured: &ConfiguredStream) -> Layout {
        let stream = &configured.stream;
        let key: Vec<String> = stream.key_fields().into_iter().map(str::to_owned).collect();
        let newer_than = stream.newer_than_field.clone();
        let none = Map::new();
        let properties = stream.json_schema.as_ref().and_then(|schema| schema.get("properties"));
        let properties = properties.and_then(Value::as_object).unwrap_or(&none);
        let fields = configured.fields.as_deref().unwrap_or_default();
        let kept = |name: &&String| {
            fields.is_empty() || fields.contains(name) || **name == newer_than || name.as_str() == PARENT_ID
        };
        let mut columns = key.clone();
        let own = [&newer_than, SYNCED_AT];
        for name in properties.keys().filter(kept).map(String::as_str).chain(own) {
            if !name.is_empty() && !columns.iter().any(|known| known == name) {
                columns.push(name.to_owned());
            }
        }
        let enums = properties.iter().filter(|(name, _)| kept(name));
        let enums = enums.filter_map(|(name, schema)| Some((name.clone(), texts(schema)?))).collect();
        Layout { stream: Arc::clone(&stream.name), key, newer_than, columns, enums }
    }

    /// The columns that tell which row is which: key, version, and what a sweep asks for. The first are the key.
    pub(crate) fn watched(&self) -> Vec<&str> {
        let mut watched: Vec<&str> = self.key.iter().map(String::as_str).collect();
        for name in [self.newer_than.as_str(), PARENT_ID, "id", "_account_id"] {
            if !watched.contains(&name) {
                watched.push(name);
            }
        }
        watched
    }
}

/// The texts of an `enum` that has nothing but texts and `null`.
fn texts(schema: &Value) -> Option<Vec<String>> {
    let values = schema.get("enum")?.as_array()?;
    let texts: Option<Vec<String>> = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
        .collect();
    texts.filter(|texts| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use protocol::Stream;
    use serde_json::json;

    #[test]
    fn the_key_comes_first_and_what_is_ours_last() {
        let stream: Stream = serde_json::from_value(json!({
            "name": "charge", "primary_key": [["id"], ["_account_id"]], "newer_than_field": "_updated_at",
            "json_schema": {"properties": {
                "_account_id": {"type": "string"}, "amount": {"type": "integer"}, "id": {"type": "string"},
                "status": {"type": ["string", "null"], "enum": ["failed", "paid", null]}, "": {},
            }},
        }))
        .unwrap();
        let mut configured = ConfiguredStream::whole(stream);
        let layout = Layout::of(&configured);
        assert_eq!(layout.columns, ["id", "_account_id", "amount", "status", "_updated_at", "_synced_at"]);
        assert_eq!(layout.enums, [("status".to_owned(), vec!["failed".to_owned(), "paid".to_owned()])]);
        assert_eq!(layout.watched(), ["id", "_account_id", "_updated_at", "_parent_id"]);
        configured.fields = Some(vec!["amount".to_owned()]);
        let layout = Layout::of(&configured);
        assert_eq!(layout.columns, ["id", "_account_id", "amount", "_updated_at", "_synced_at"]);
        assert!(layout.enums.is_empty());
    }
}
