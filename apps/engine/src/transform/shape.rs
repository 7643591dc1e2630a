//! What the rules make of a stream's schema, and which rules fit it.

use protocol::{ConfiguredStream, PARENT_ID, Stream, Transform};
use serde_json::{Map, Value, json};

use crate::nearest;

/// By which copies are compared with their source.
const CREATED: &str = "created";

/// Says what is wrong with rules that do not fit the stream.
pub(super) fn check(stream: &Stream, transform: &Transform) -> Result<(), String> {
    let fixed = |name: &str| {
        stream.key_fields().contains(&name)
            || [stream.newer_than_field.as_str(), PARENT_ID, CREATED].contains(&name)
    };
    let changed = [("hash", &transform.hash), ("redact", &transform.redact)];
    let changed =
        changed.iter().flat_map(|(rule, paths)| paths.iter().map(move |path| (*rule, path.as_str())));
    let renamed = transform.rename.keys().map(|name| ("rename", name.as_str()));
    let asked = transform.conditions.iter().map(|condition| ("where", condition.field.as_str()));
    for (rule, path) in changed.chain(renamed).chain(asked) {
        let first = path.split('.').next().unwrap_or_default();
        if path.split('.').any(str::is_empty) {
            return Err(format!("`{path}` in `{rule}` is not the name of a field"));
        }
        if rule != "where" && fixed(first) {
            return Err(format!("`{rule}` cannot change `{first}`, by which rows are told apart or ordered"));
        }
        if let Some(properties) = properties(stream)
            && !properties.contains_key(first)
        {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let near = nearest(first, &known);
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", near.join(" or "))
            };
            return Err(format!("there is no field `{first}`, which `{rule}` names{hint}"));
        }
    }
    check_names(stream, transform)
}

fn check_names(stream: &Stream, transform: &Transform) -> Result<(), String> {
    let mut taken: Vec<&str> = Vec::new();
    for (old, new) in &transform.rename {
        if old.contains('.') {
            return Err(format!("`rename` is for top-level fields, which `{old}` is not"));
        }
        let exists = properties(stream).is_some_and(|properties| properties.contains_key(new));
        let is_free = !exists || transform.rename.contains_key(new);
        if new.is_empty()
            || !is_free
            || taken.contains(&new.as_str())
            || new == PARENT_ID
            || new.starts_with('_')
        {
            return Err(format!(
                "`{old}` cannot be renamed to `{new}`: that name is taken, or not for fields"
            ));
        }
        taken.push(new);
    }
    Ok(())
}

fn properties(stream: &Stream) -> Option<&Map<String, Value>> {
    stream.json_schema.as_ref()?.get("properties")?.as_object()
}

/// Makes the stream what the destination gets: digests are text, and fields have their new names.
pub(super) fn reshape(configured: &mut ConfiguredStream, transform: &Transform) {
    let new_name = |name: &str| transform.rename.get(name).map_or(name, String::as_str).to_owned();
    if let Some(fields) = &mut configured.fields {
        fields.iter_mut().for_each(|field| *field = new_name(field));
    }
    let schema = configured.stream.json_schema.as_mut();
    if let Some(Value::Object(properties)) = schema.and_then(|schema| schema.get_mut("properties")) {
        *properties = std::mem::take(properties)
            .into_iter()
            .map(|(name, schema)| {
                let digest = json!({"type": "string", "nullable": true});
                let schema = if transform.hash.contains(&name) { digest } else { schema };
                (new_name(&name), schema)
            })
            .collect();
    }
}
