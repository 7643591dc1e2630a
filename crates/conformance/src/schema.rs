//! The schema of a configuration.

use serde_json::{Map, Value, json};

use crate::Breach;

/// The schema is a valid JSON Schema of an object, with properties, and every required member is described.
pub fn is_config_schema(schema: &Map<String, Value>) -> Result<(), Breach> {
    let whole = Value::Object(schema.clone());
    if let Err(error) = jsonschema::meta::validate(&whole) {
        let place = error.instance_path().to_string();
        let came = format!("at `{place}` it is not: {error}");
        return Err(Breach::new("a valid JSON Schema in `spec.config`", came));
    }
    let kind = schema.get("type").unwrap_or(&Value::Null);
    Breach::unless(kind == "object", "`type` `object` in `spec.config`", || format!("it is {kind}"))?;
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(properties) = properties else {
        return Err(Breach::new("`properties` in `spec.config`", "there are none"));
    };
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = required.as_str().unwrap_or_default();
        Breach::unless(properties.contains_key(name), "a description of each required member", || {
            format!("`{name}` is required and not among the properties")
        })?;
    }
    Ok(())
}

/// Configurations that the schema refuses, made of one that it may take, each with what is wrong with it.
pub fn unfit_configs(
    schema: &Map<String, Value>,
    good: &Map<String, Value>,
) -> Vec<(String, Map<String, Value>)> {
    let Ok(validator) = jsonschema::validator_for(&Value::Object(schema.clone())) else { return Vec::new() };
    let mut tried = Vec::new();
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        let mut without = good.clone();
        without.remove(name);
        tried.push((format!("without `{name}`"), without));
    }
    for name in schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        // No text, number, boolean or list; an object that no schema of an object with rules of its own takes.
        let mut odd = good.clone();
        odd.insert(name.clone(), json!({"\u{1}": []}));
        tried.push((format!("with an object in `{name}`"), odd));
    }
    tried.retain(|(_, config)| !validator.is_valid(&Value::Object(config.clone())));
    tried.truncate(2);
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("no object: {value}") };
        object
    }

    #[test]
    fn schemas_are_held_against_the_schema_of_schemas() {
        let good =
            object(json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}));
        is_config_schema(&good).unwrap();
        for (bad, word) in [
            (json!({"type": "object", "properties": {"a": {"type": "text"}}}), "properties/a/type"),
            (json!({"type": "string", "properties": {}}), "\"string\""),
            (json!({"type": "object"}), "there are none"),
            (json!({"type": "object", "properties": {}, "required": ["b"]}), "`b`"),
        ] {
            let told = is_config_schema(&object(bad)).unwrap_err().to_string();
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn unfit_configurations_are_found() {
        let schema = object(
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}),
        );
        let unfit = unfit_configs(&schema, &object(json!({"a": "x"})));
        let told: Vec<&str> = unfit.iter().map(|(told, _)| told.as_str()).collect();
        assert_eq!(told, ["without `a`", "with an object in `a`"]);
        assert!(
            unfit_configs(&object(json!({"type": "object", "properties": {"b": {}}})), &Map::new())
                .is_empty()
        );
    }
}
