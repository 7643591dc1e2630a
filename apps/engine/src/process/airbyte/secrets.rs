//! What a specification marks as secret.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// Shorter values are no secrets, and would be found everywhere.
const SHORTEST: usize = 4;

/// Says of every `airbyte_secret` what JSON Schema says of such: it is only written.
pub(super) fn mark(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("airbyte_secret") == Some(&Value::Bool(true)) {
                members.insert("writeOnly".to_owned(), true.into());
            }
            members.values_mut().for_each(mark);
        }
        Value::Array(items) => items.iter_mut().for_each(mark),
        _ => {}
    }
}

/// The secret values of a configuration. They are hidden in whatever its program says in words.
#[derive(Clone, Default)]
pub(in crate::process) struct Secrets(Arc<[String]>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secrets", self.0.len())
    }
}

impl Secrets {
    pub(super) fn of(schema: &Map<String, Value>, config: &Map<String, Value>) -> Secrets {
        let mut found = Vec::new();
        gather(schema, &Value::Object(config.clone()), &mut found);
        found.retain(|value| value.len() >= SHORTEST);
        // One that holds another goes first.
        found.sort_by_key(|value| std::cmp::Reverse(value.len()));
        found.dedup();
        Secrets(found.into())
    }

    /// The text without them, and without what looks like a secret.
    pub(in crate::process) fn hide(&self, text: &str) -> String {
        let mut text: Cow<'_, str> = logger::redact_text(text);
        for secret in self.0.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), logger::REDACTED).into();
            }
        }
        text.into_owned()
    }
}

fn gather(schema: &Map<String, Value>, value: &Value, found: &mut Vec<String>) {
    if schema.get("airbyte_secret") == Some(&Value::Bool(true)) {
        texts(value, found);
        return;
    }
    for branches in ["oneOf", "anyOf", "allOf"] {
        for branch in schema.get(branches).and_then(Value::as_array).into_iter().flatten() {
            branch.as_object().into_iter().for_each(|branch| gather(branch, value, found));
        }
    }
    if let (Some(properties), Some(members)) =
        (schema.get("properties").and_then(Value::as_object), value.as_object())
    {
        for (name, value) in members {
            if let Some(Value::Object(schema)) = properties.get(name) {
                gather(schema, value, found);
            }
        }
    }
    if let (Some(Value::Object(schema)), Some(items)) = (schema.get("items"), value.as_array()) {
        items.iter().for_each(|item| gather(schema, item, found));
    }
}

/// Every text within a value; the lines of one with several, too, since they may be said one by one.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            found.push(text.clone());
            found.extend(text.lines().filter(|line| *line != text).map(str::to_owned));
        }
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_at_any_depth_and_hidden() {
        let schema = json!({"properties": {
            "user": {"type": "string"},
            "auth": {"oneOf": [
                {"properties": {"kind": {"const": "none"}}},
                {"properties": {"token": {"type": "string", "airbyte_secret": true}}},
            ]},
            "keys": {"type": "array", "items": {"type": "string", "airbyte_secret": true}},
        }});
        let config = json!({"user": "mary", "auth": {"token": "abc-123"}, "keys": ["abc-12345", "x"]});
        let secrets = Secrets::of(schema.as_object().unwrap(), config.as_object().unwrap());
        assert_eq!(
            secrets.hide("mary sent abc-123 and abc-12345, x"),
            "mary sent [redacted] and [redacted], x"
        );
        let mut marked = schema;
        mark(&mut marked);
        assert_eq!(marked["properties"]["keys"]["items"]["writeOnly"], true);
        assert!(marked["properties"]["user"].get("writeOnly").is_none());
    }
}
