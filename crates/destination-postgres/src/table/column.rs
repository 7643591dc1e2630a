//! A field's JSON Schema as a column.

use serde_json::{Map, Value};
use util_postgres::{quote_identifier, quote_literal, shorten_identifier};

/// A column that shows a field of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name of the field in the payload.
    pub(crate) field: String,
    /// Name of the column: the field's, shortened where it must be.
    pub(crate) name: String,
    /// SQL type.
    pub(crate) sql_type: &'static str,
    /// What it is computed from, in terms of `_raw_data`.
    pub(crate) expression: String,
}

impl Column {
    /// A field of the primary key: always text.
    pub(crate) fn of_key(field: &str) -> Column {
        Column::new(field, "text", format!("(_raw_data->>{})::text", quote_literal(field)))
    }

    /// A field as its JSON Schema describes it.
    pub(crate) fn of_property(field: &str, schema: &Value) -> Column {
        let name = quote_literal(field);
        let cast = |sql_type| format!("(NULLIF(_raw_data->>{name}, ''))::{sql_type}");
        let inner = without_null(schema);
        let says = |schema: &Value| schema["x-expandable-reference"] == true;
        if says(schema) || says(inner) {
            let expression = format!(
                "CASE WHEN jsonb_typeof(_raw_data->{name}) = 'object' AND _raw_data->{name} ? 'id' \
                 THEN (_raw_data->{name}->>'id') ELSE (_raw_data->>{name}) END"
            );
            return Column::new(field, "text", expression);
        }
        match inner["type"].as_str() {
            Some("boolean") => Column::new(field, "boolean", cast("boolean")),
            Some("integer") => Column::new(field, "bigint", cast("bigint")),
            Some("number") => Column::new(field, "numeric", cast("numeric")),
            Some("object") => Column::new(field, "jsonb", format!("(_raw_data->{name})::jsonb")),
            _ => Column::new(field, "text", format!("(_raw_data->>{name})::text")),
        }
    }

    fn new(field: &str, sql_type: &'static str, expression: String) -> Column {
        Column { field: field.to_owned(), name: shorten_identifier(field), sql_type, expression }
    }

    /// The definition, as in `CREATE TABLE`, of a column that is filled by who writes.
    pub(crate) fn plain_definition(&self, is_key: bool) -> String {
        format!("{} {}{}", quote_identifier(&self.name), self.sql_type, if is_key { " NOT NULL" } else { "" })
    }

    /// The definition, as in `CREATE TABLE`, of a column that PostgreSQL fills.
    pub(crate) fn definition(&self) -> String {
        let Column { name, sql_type, expression, .. } = self;
        format!("{} {sql_type} GENERATED ALWAYS AS ({expression}) STORED", quote_identifier(name))
    }

    /// Whether some payloads have values that the column cannot take.
    pub(crate) fn may_refuse(&self) -> bool {
        matches!(self.sql_type, "boolean" | "bigint" | "numeric")
    }
}

/// The one branch of a `oneOf` or `anyOf` that is not `null`; other schemas as they are.
fn without_null(schema: &Value) -> &Value {
    let branches = ["oneOf", "anyOf"].iter().find_map(|word| schema.get(word)?.as_array());
    let mut others = branches.into_iter().flatten().filter(|branch| branch["type"] != "null");
    match (others.next(), others.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

/// The properties that a JSON Schema declares, in its order.
pub(crate) fn properties(schema: Option<&Map<String, Value>>) -> impl Iterator<Item = (&String, &Value)> {
    schema.and_then(|schema| schema.get("properties")?.as_object()).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nullable_types_are_unwrapped() {
        for (schema, expected) in [
            (json!({"type": "string", "format": "date-time"}), "text"),
            (json!({"oneOf": [{"type": "boolean"}, {"type": "null"}]}), "boolean"),
            (json!({"anyOf": [{"type": "integer"}], "nullable": true}), "bigint"),
            (json!({"type": "number"}), "numeric"),
            (json!({"oneOf": [{"type": "object"}, {"type": "null"}]}), "jsonb"),
            (json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}), "text"),
            (json!({"type": ["integer", "null"]}), "text"),
            (
                json!({"oneOf": [{"type": "object"}, {"type": "null"}], "x-expandable-reference": true}),
                "text",
            ),
            (json!(true), "text"),
        ] {
            assert_eq!(Column::of_property("f", &schema).sql_type, expected, "{schema}");
        }
    }
}
