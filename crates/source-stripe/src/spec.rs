//! What the source can be told, as JSON Schema.

use protocol::ConnectorSpec;
use serde_json::{Value, json};

use crate::config::StripeConfig;

/// The `spec` of the source.
pub(crate) fn spec() -> ConnectorSpec {
    let time = json!({"type": "string", "format": "date-time"});
    let state = json!({
        "type": "object",
        "properties": {
            "accounted_range": {
                "type": "object",
                "properties": {"gte": time, "lt": time},
                "required": ["gte", "lt"],
                "additionalProperties": false,
            },
            "remaining": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "gte": time,
                        "lt": time,
                        "cursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["gte", "lt", "cursor"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["remaining"],
        "additionalProperties": false,
    });
    let mut spec = ConnectorSpec::of_config::<StripeConfig>();
    spec.source_state_stream = match state {
        Value::Object(schema) => Some(schema),
        _ => None,
    };
    spec
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    #[test]
    fn the_configuration_names_all_versions_and_is_strict() {
        let config = Value::from(spec().config);
        assert_eq!(config["properties"]["api_version"]["enum"], json!(embedded::versions()));
        assert_eq!(config["additionalProperties"], false);
        assert_eq!(config["required"], json!(["api_key", "api_version"]));
        assert_eq!(config["properties"]["api_key"]["type"], "string");
    }
}
