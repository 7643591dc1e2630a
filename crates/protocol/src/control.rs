//! Changed connector configurations, sent back to whoever keeps them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The payload of a `control` message: the complete new configuration of a connector,
/// without the `{type, …}` wrapper. The receiver replaces what it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control_type", rename_all = "snake_case")]
pub enum Control {
    /// The source's.
    SourceConfig {
        /// The whole new configuration.
        source_config: Map<String, Value>,
    },
    /// The destination's.
    DestinationConfig {
        /// The whole new configuration.
        destination_config: Map<String, Value>,
    },
}

impl JsonSchema for Control {
    fn schema_name() -> Cow<'static, str> {
        "Control".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let of = |kind: &str| {
            json_schema!({
                "type": "object",
                "properties": {"control_type": {"const": kind}, kind: {"type": "object"}},
                "required": ["control_type", kind],
            })
        };
        json_schema!({"oneOf": [of("source_config"), of("destination_config")]})
    }
}
