//! Streams, from Airbyte's description to ours and back.

use protocol::{ConfiguredCatalog, ConfiguredStream, ConnectorError, Stream, SyncMode};
use serde_json::{Map, Value, json};

use super::wire::Descriptor;

/// The version of a record: when the read began that it comes from, in unix seconds.
pub(super) const VERSION: &str = "_updated_at";

/// The key of records that have no key of plain fields: a digest.
pub(super) const RAW_ID: &str = "_airbyte_raw_id";

/// Where a stream keeps Airbyte's own description, but for the schema.
const ORIGINAL: &str = "airbyte";

/// How a record is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// By fields of its own.
    Fields,
    /// By a digest of the values at these paths, which are not all at its top.
    Paths(Vec<Vec<String>>),
    /// By a digest of all of it.
    Whole,
}

/// Our stream of Airbyte's. Fails where it has no name.
pub(super) fn stream(mut airbyte: Map<String, Value>) -> Result<Stream, ConnectorError> {
    let text = |name: &str| airbyte.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (name, namespace) = (text("name").map(str::to_owned), text("namespace").map(str::to_owned));
    let name = name.ok_or_else(|| ConnectorError::internal("a stream of the catalog has no `name`"))?;
    let mut schema = match airbyte.remove("json_schema") {
        Some(Value::Object(schema)) => schema,
        _ => Map::new(),
    };
    schema.remove("$schema");
    let key = key_of(&airbyte);
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        properties.insert(VERSION.to_owned(), json!({"type": "integer"}));
        if key != Key::Fields {
            properties.insert(RAW_ID.to_owned(), json!({"type": "string"}));
        }
    }
    let primary_key = match key {
        Key::Fields => paths(&airbyte, "source_defined_primary_key"),
        Key::Paths(_) | Key::Whole => vec![vec![RAW_ID.to_owned()]],
    };
    let mode = if is_incremental(&airbyte) { "incremental" } else { "full_refresh" };
    let metadata = json!({"default_sync_mode": mode, "supports_time_range": false, (ORIGINAL): airbyte});
    Ok(Stream {
        name: our_name(&Descriptor { name, namespace }).into(),
        primary_key,
        newer_than_field: VERSION.to_owned(),
        json_schema: Some(schema),
        metadata: metadata.as_object().cloned(),
        soft_delete_field: None,
    })
}

/// Two streams of one name are told apart by their namespaces.
pub(super) fn our_name(descriptor: &Descriptor) -> String {
    match descriptor.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}.{}", descriptor.name),
        None => descriptor.name.clone(),
    }
}

fn paths(airbyte: &Map<String, Value>, name: &str) -> Vec<Vec<String>> {
    let paths = airbyte.get(name).and_then(|paths| serde_json::from_value(paths.clone()).ok());
    let paths: Vec<Vec<String>> = paths.unwrap_or_default();
    paths.into_iter().filter(|path| !path.is_empty()).collect()
}

fn key_of(airbyte: &Map<String, Value>) -> Key {
    let paths = paths(airbyte, "source_defined_primary_key");
    if paths.is_empty() {
        Key::Whole
    } else if paths.iter().all(|path| path.len() == 1) {
        Key::Fields
    } else {
        Key::Paths(paths)
    }
}

/// Whether the stream can be read from a cursor on without being told which.
fn is_incremental(airbyte: &Map<String, Value>) -> bool {
    let modes = airbyte.get("supported_sync_modes").and_then(Value::as_array);
    let supports = modes.is_some_and(|modes| modes.iter().any(|mode| mode == "incremental"));
    let by_itself = airbyte.get("source_defined_cursor") == Some(&Value::Bool(true));
    let has_default =
        airbyte.get("default_cursor_field").and_then(Value::as_array).is_some_and(|path| !path.is_empty());
    supports && (by_itself || has_default)
}

/// A selected stream, as both sides know it.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    /// What we call it.
    pub(super) name: String,
    /// What Airbyte calls it.
    pub(super) descriptor: Descriptor,
    pub(super) key: Key,
    pub(super) incremental: bool,
    /// Whether a full refresh that was broken off can be gone on with.
    pub(super) resumable: bool,
    /// Whether records may be deletions.
    pub(super) has_deletions: bool,
}

/// The streams that are to be read, and the catalog that says so to the source. Fails where a stream is none of Airbyte's.
pub(super) fn configured(catalog: &ConfiguredCatalog) -> Result<(Vec<Selected>, Value), ConnectorError> {
    let mut selected = Vec::new();
    let mut streams = Vec::new();
    for configured in &catalog.streams {
        let (one, said) = one(configured)?;
        selected.push(one);
        streams.push(said);
    }
    Ok((selected, json!({"streams": streams})))
}

fn one(configured: &ConfiguredStream) -> Result<(Selected, Value), ConnectorError> {
    let Stream { name, json_schema, metadata, .. } = &configured.stream;
    let original = metadata.as_ref().and_then(|metadata| metadata.get(ORIGINAL)?.as_object());
    let Some(original) = original else {
        return Err(ConnectorError::config(format!(
            "the stream `{name}` of the catalog lacks `metadata.{ORIGINAL}`; take it from what `discover` says"
        )));
    };
    let text = |name: &str| original.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut schema = json_schema.clone().unwrap_or_default();
    let mut has_deletions = false;
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove(VERSION);
        properties.remove(RAW_ID);
        has_deletions = properties.contains_key(super::reading::DELETED_AT);
    }
    let incremental = configured.sync_mode == SyncMode::Incremental;
    let key = key_of(original);
    let mut stream = original.clone();
    stream.insert("json_schema".to_owned(), Value::Object(schema));
    let cursor = configured.cursor_field.clone().map(Value::from);
    let cursor = cursor.or_else(|| original.get("default_cursor_field").cloned());
    let mut said = json!({
        "stream": stream,
        "sync_mode": if incremental { "incremental" } else { "full_refresh" },
        "destination_sync_mode": if key == Key::Whole { "append" } else { "append_dedup" },
        "primary_key": paths(original, "source_defined_primary_key"),
    });
    if let (Value::Object(said), Some(cursor)) = (&mut said, cursor.filter(|cursor| !cursor.is_null())) {
        said.insert("cursor_field".to_owned(), cursor);
    }
    let selected = Selected {
        name: name.to_string(),
        descriptor: Descriptor { name: text("name").unwrap_or_default(), namespace: text("namespace") },
        key,
        incremental,
        resumable: original.get("is_resumable") == Some(&Value::Bool(true)),
        has_deletions,
    };
    Ok((selected, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(airbyte: Value) -> Stream {
        let Value::Object(airbyte) = airbyte else { panic!("no object: {airbyte}") };
        stream(airbyte).unwrap()
    }

    fn users() -> Value {
        json!({
            "name": "users", "namespace": "shop",
            "json_schema": {"$schema": "x", "type": "object", "properties": {"id": {"type": "integer"}}},
            "supported_sync_modes": ["full_refresh", "incremental"],
            "source_defined_cursor": true, "default_cursor_field": ["updated_at"],
            "source_defined_primary_key": [["id"]], "is_resumable": true,
        })
    }

    #[test]
    fn a_stream_goes_there_and_back() {
        let users = said(users());
        assert_eq!((&*users.name, &users.primary_key), ("shop.users", &vec![vec!["id".to_owned()]]));
        let mut configured = ConfiguredStream::whole(users);
        configured.sync_mode = SyncMode::Incremental;
        let (selected, back) = one(&configured).unwrap();
        assert_eq!(selected.key, Key::Fields);
        assert!(selected.incremental && selected.resumable);
        let mut original = self::users();
        original["json_schema"].as_object_mut().unwrap().remove("$schema");
        assert_eq!(back["stream"], original);
        assert_eq!(back["sync_mode"], "incremental");
        assert_eq!(back["destination_sync_mode"], "append_dedup");
        assert_eq!((&back["cursor_field"], &back["primary_key"]), (&json!(["updated_at"]), &json!([["id"]])));
    }

    #[test]
    fn what_has_no_plain_key_gets_one() {
        let whole =
            said(json!({"name": "lines", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}));
        assert_eq!(whole.primary_key, [[RAW_ID]]);
        assert_eq!(whole.metadata.as_ref().unwrap()["default_sync_mode"], "full_refresh");
        let nested = json!({"name": "n", "json_schema": {}, "source_defined_primary_key": [["a", "id"]]});
        let (selected, back) = one(&ConfiguredStream::whole(said(nested))).unwrap();
        assert_eq!(selected.key, Key::Paths(vec![vec!["a".to_owned(), "id".to_owned()]]));
        assert_eq!(back["stream"]["json_schema"]["properties"], json!({}));
        let foreign = Stream { metadata: None, ..whole };
        assert!(one(&ConfiguredStream::whole(foreign)).unwrap_err().to_string().contains("metadata.airbyte"));
    }
}
