//! OpenAPI documents, as tests look at them.

use std::collections::BTreeSet;

use serde_json::Value;

/// The places that a document refers to (`$ref`), such as `#/components/schemas/Message`.
pub fn references(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(document, &mut found);
    found
}

fn gather(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| gather(member, found));
        }
        _ => {}
    }
}
