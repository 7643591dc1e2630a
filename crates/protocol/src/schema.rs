//! JSON Schema of the messages.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::{
    CatalogMessage, ConnectionStatus, ConnectorSpec, Control, Eof, Log, ProgressPayload, Record,
    SourceStateMessage, StreamStatusMessage,
};

/// The JSON Schema of `T` as a plain object, without `$schema`.
pub(crate) fn schema_of<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema.remove("$schema");
    schema.as_object().cloned().unwrap_or_default()
}

/// The payload schema of each message type, by wire name; definitions gather in `generator`.
pub fn payload_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
    vec![
        ("record", generator.subschema_for::<Record>()),
        ("source_state", generator.subschema_for::<SourceStateMessage>()),
        ("catalog", generator.subschema_for::<CatalogMessage>()),
        ("log", generator.subschema_for::<Log>()),
        ("spec", generator.subschema_for::<ConnectorSpec>()),
        ("connection_status", generator.subschema_for::<ConnectionStatus>()),
        ("stream_status", generator.subschema_for::<StreamStatusMessage>()),
        ("control", generator.subschema_for::<Control>()),
        ("progress", generator.subschema_for::<ProgressPayload>()),
        ("eof", generator.subschema_for::<Eof>()),
        ("source_input", json_schema!(true)),
    ]
}

/// The JSON Schema of any message: one envelope per type.
pub fn message_schema() -> Map<String, Value> {
    let mut generator = SchemaGenerator::default();
    let envelopes: Vec<Schema> =
        payload_schemas(&mut generator).into_iter().map(|(name, payload)| envelope(name, &payload)).collect();
    let mut schema = json_schema!({
        "title": "Message",
        "oneOf": envelopes,
        "$defs": generator.take_definitions(true),
    });
    schema.remove("$schema");
    schema.as_object().cloned().unwrap_or_default()
}

fn envelope(name: &str, payload: &Schema) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "type": {"const": name},
            name: payload,
            "_emitted_by": {"type": "string"},
            "_ts": {"type": "string", "format": "date-time"},
        },
        "required": ["type", name],
    })
}
