//! What an update changed, as `previous_attributes` tells it.

use serde_json::{Map, Value};

/// The old values of what differs: of hashes the changed keys only, of nested lists the old items.
pub(crate) fn previous_attributes(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return before.clone() };
    let mut previous = Map::new();
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let was = old.get(key).unwrap_or(&Value::Null);
        let is = new.get(key).unwrap_or(&Value::Null);
        if was == is {
            continue;
        }
        let value = match (was, is) {
            (Value::Object(list), Value::Object(_)) if is_list(was) => {
                let kept = |key: &&String| matches!(key.as_str(), "data" | "total_count");
                list.iter()
                    .filter(|(key, _)| kept(key))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect::<Map<String, Value>>()
                    .into()
            }
            (Value::Object(_), Value::Object(_)) => previous_attributes(was, is),
            _ => was.clone(),
        };
        previous.insert(key.clone(), value);
    }
    Value::Object(previous)
}

fn is_list(value: &Value) -> bool {
    value.get("object").is_some_and(|object| object == "list")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let before = json!({"id": "sub_1", "status": "trialing", "metadata": {"a": "1", "b": "2"}, "quantity": 1,
            "items": {"object": "list", "data": [{"id": "si_1"}], "has_more": false, "total_count": 1, "url": "/v1"}});
        let after = json!({"id": "sub_1", "status": "active", "metadata": {"a": "1", "c": "3"}, "quantity": 1,
            "items": {"object": "list", "data": [], "has_more": false, "total_count": 0, "url": "/v1"}});
        assert_eq!(
            previous_attributes(&before, &after),
            json!({"status": "trialing", "metadata": {"b": "2", "c": null},
                "items": {"data": [{"id": "si_1"}], "total_count": 1}})
        );
        assert_eq!(previous_attributes(&before, &before), json!({}));
    }
}
