//! The components of the document.

use http_api::openapi::{Components, reference};
use protocol::{
    EofPayload, ProgressPayload, RunStatus, SourceState, StreamProgress, StreamSelection, SyncState,
    Transforms,
};
use serde_json::{Map, Value, json};

use crate::Registry;
use crate::reconcile::ReconcileData;

/// Payloads whose types are called as clients know whole messages.
const RENAMED: &[(&str, &str)] = &[
    ("SourceStateMessage", "SourceStatePayload"),
    ("CatalogMessage", "CatalogPayload"),
    ("StreamStatusMessage", "StreamStatusPayload"),
    ("ConnectionStatus", "ConnectionStatusPayload"),
];

const EVERY: &[&str] = &[
    "record",
    "source_state",
    "catalog",
    "log",
    "spec",
    "connection_status",
    "stream_status",
    "control",
    "progress",
    "eof",
    "source_input",
];

/// What each operation may answer.
const OUTPUTS: &[(&str, &[&str])] = &[
    ("Message", EVERY),
    ("DiscoverOutput", &["catalog", "log", "connection_status"]),
    (
        "DestinationOutput",
        &[
            "record",
            "source_state",
            "log",
            "connection_status",
            "stream_status",
            "control",
            "catalog",
            "spec",
        ],
    ),
    (
        "SyncOutput",
        &[
            "source_state",
            "stream_status",
            "progress",
            "connection_status",
            "log",
            "eof",
            "control",
            "catalog",
            "spec",
        ],
    ),
    ("CheckOutput", &["connection_status", "log"]),
    ("SetupOutput", &["control", "log", "connection_status"]),
    ("TeardownOutput", &["log", "connection_status"]),
];

/// Everything that operations refer to.
pub fn components(registry: &Registry) -> Components {
    let mut components = Components::new(RENAMED);
    let _ = (components.of::<SyncState>(), components.of::<SourceState>(), components.of::<StreamProgress>());
    let _ = (components.of::<ProgressPayload>(), components.of::<RunStatus>(), components.of::<EofPayload>());
    let selection = components.of::<StreamSelection>();
    let transforms = components.of::<Transforms>();
    let sources: Vec<(String, Map<String, Value>)> =
        registry.sources().iter().map(|known| (known.name().to_owned(), known.spec().config)).collect();
    let destinations: Vec<(String, Map<String, Value>)> =
        registry.destinations().iter().map(|known| (known.name().to_owned(), known.spec().config)).collect();
    let source_configs = side(&mut components, "Source", sources);
    let destination_configs = side(&mut components, "Destination", destinations);
    messages(&mut components, source_configs, destination_configs);
    comparison(&mut components);
    components.add(
        "PipelineConfig",
        json!({
            "type": "object",
            "description": "A sync from one source to one destination.",
            "properties": {
                "source": reference("SourceConfig"),
                "destination": reference("DestinationConfig"),
                "streams": {
                    "type": "array",
                    "description": "Which streams; all when absent or empty.",
                    "items": selection,
                },
                "transforms": transforms,
            },
            "required": ["source", "destination"],
        }),
    );
    issue(&mut components);
    components
}

/// The configurations of one side: a component for each connector, and one for the choice. Answers the former.
fn side(
    components: &mut Components,
    role: &str,
    connectors: Vec<(String, Map<String, Value>)>,
) -> Vec<Value> {
    let mut choices = Vec::new();
    let mut configs = Vec::new();
    for (name, schema) in connectors {
        let config = components.add(&format!("{role}{}Config", pascal(&name)), Value::Object(schema));
        choices.push(json!({
            "type": "object",
            "properties": {"type": {"type": "string", "const": name}, name.clone(): config},
            "required": ["type", name],
        }));
        configs.push(config);
    }
    let choice = json!({"type": "object", "oneOf": choices, "discriminator": {"propertyName": "type"}});
    components.add(&format!("{role}Config"), choice);
    configs
}

/// `google_sheets` and `google-sheets` as `GoogleSheets`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    name.split(['-', '_']).map(capital).collect()
}

fn messages(components: &mut Components, sources: Vec<Value>, destinations: Vec<Value>) {
    let any_of = |mut configs: Vec<Value>| match configs.len() {
        1 => configs.remove(0),
        _ => json!({"oneOf": configs}),
    };
    let control = |kind: &str, config: Value| {
        json!({
            "type": "object",
            "properties": {"control_type": {"type": "string", "const": kind}, kind: config},
            "required": ["control_type", kind],
        })
    };
    components.add(
        "ControlPayload",
        json!({
            "description": "The complete new configuration of a connector; it replaces the old one.",
            "oneOf": [
                control("source_config", any_of(sources)),
                control("destination_config", any_of(destinations)),
            ],
            "discriminator": {"propertyName": "control_type"},
        }),
    );
    let payloads = protocol::payload_schemas(components.generator());
    for (name, payload) in payloads {
        let payload = if name == "control" { reference("ControlPayload") } else { payload.to_value() };
        components.add(
            &format!("{}Message", pascal(name)),
            json!({
                "type": "object",
                "properties": {
                    "type": {"type": "string", "const": name},
                    name: payload,
                    "_emitted_by": {"type": "string"},
                    "_ts": {"type": "string", "format": "date-time"},
                },
                "required": ["type", name],
            }),
        );
    }
    for (output, kinds) in OUTPUTS {
        let choices: Vec<Value> =
            kinds.iter().map(|kind| reference(&format!("{}Message", pascal(kind)))).collect();
        let discriminator = json!({"propertyName": "type"});
        components.add(output, json!({"type": "object", "oneOf": choices, "discriminator": discriminator}));
    }
}

/// What a comparison answers: `log` messages that have in their `data` what was found.
fn comparison(components: &mut Components) {
    let data = components.of::<ReconcileData>();
    let envelope = reference("LogMessage");
    components.add(
        "ReconcileMessage",
        json!({
            "description": "A log message. Those of the engine (`_emitted_by`) tell by their `data` how a stream compares, and at \
                            last how everything does.",
            "allOf": [
                envelope,
                {"type": "object", "properties": {
                    "type": {"type": "string", "const": "log"},
                    "log": {"type": "object", "properties": {"data": data}},
                }},
            ],
        }),
    );
    let choices = json!([reference("ReconcileMessage"), reference("ConnectionStatusMessage")]);
    components.add(
        "ReconcileOutput",
        json!({
            "type": "object",
            "oneOf": choices,
            "discriminator": {
                "propertyName": "type",
                "mapping": {
                    "log": "#/components/schemas/ReconcileMessage",
                    "connection_status": "#/components/schemas/ConnectionStatusMessage",
                },
            },
        }),
    );
}

fn issue(components: &mut Components) {
    components.add(
        "Issue",
        json!({
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "path": {"type": "array", "items": {"type": ["string", "integer"]}},
                "message": {"type": "string"},
            },
            "required": ["code", "path", "message"],
        }),
    );
    components.add(
        "Error",
        json!({
            "type": "object",
            "properties": {"error": {"oneOf": [
                {"type": "string"},
                {"type": "array", "items": reference("Issue")},
            ]}},
            "required": ["error"],
        }),
    );
}
