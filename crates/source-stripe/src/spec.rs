//! What the source can be told, as JSON Schema.

use protocol::ConnectorSpec;
use serde_json::{Value, json};

use crate::config::StripeConfig;

/// The `spec` of the source.
pub(crate) fn spec() -> ConnectorSpec {
    let time = json!({"type": "string", "format": "date-time"});
    let properties = json!({
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
    });
    let of_one = |properties: Value| {
        json!({
            "type": "object",
            "properties": properties,
            "required": ["remaining"],
            "additionalProperties": false,
        })
    };
    let mut with_others = properties.clone();
    with_others["accounts"] = json!({
        "description": "Where other accounts stand that are read with the same key, by their ids.",
        "type": "object",
        "additionalProperties": of_one(properties),
    });
    let state = of_one(with_others);
    let mut spec = ConnectorSpec::of_config::<StripeConfig>();
    spec.source_state_stream = match state {
        Value::Object(schema) => Some(schema),
        _ => None,
    };
    spec.source_input = match input() {
        Value::Object(schema) => Some(schema),
        _ => None,
    };
    spec
}

/// What may be pushed: an event, or a webhook as it came, to be verified.
fn input() -> Value {
    let text_or_null = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    let event = json!({
        "description": "An event of Stripe, from whom it is known to come.",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string", "const": "event"},
            "account": {"type": "string"},
            "api_version": text_or_null,
            "created": {"type": "number"},
            "data": {
                "type": "object",
                "properties": {
                    "object": {"type": "object"},
                    "previous_attributes": {"type": "object"},
                },
                "required": ["object"],
            },
            "livemode": {"type": "boolean"},
            "pending_webhooks": {"type": "number"},
            "request": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"id": text_or_null, "idempotency_key": text_or_null},
                        "required": ["id", "idempotency_key"],
                    },
                    {"type": "null"},
                ],
            },
            "type": {"type": "string"},
        },
        "required": [
            "id", "object", "api_version", "created", "data", "livemode", "pending_webhooks", "request", "type",
        ],
    });
    let thin = json!({
        "description": "A thin event of Stripe's v2 API: the object it tells of is read.",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string", "const": "v2.core.event"},
            "type": {"type": "string"},
        },
        "required": ["id", "object", "type"],
    });
    let webhook = json!({
        "description": "A webhook exactly as it came: verified by `webhook_secret`.",
        "type": "object",
        "properties": {
            "body": {
                "description": "The body, unchanged: text, or its bytes.",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}],
            },
            "headers": {
                "description": "The headers by their names, in any case.",
                "type": "object",
                "additionalProperties": {
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                },
            },
        },
        "required": ["body", "headers"],
    });
    json!({"anyOf": [event, thin, webhook]})
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
