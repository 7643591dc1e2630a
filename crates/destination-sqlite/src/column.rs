//! Properties of a stream's schema as columns of its view.

use protocol::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a property is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer,
    Number,
    Json,
    /// An id, or the expanded object with its `id`.
    Reference,
}

/// A property of the payload that the view shows under the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl Column {
    /// The columns of a stream's schema, in its order.
    pub(crate) fn of_stream(stream: &Stream) -> Vec<Column> {
        let properties = stream.json_schema.as_ref().and_then(|schema| schema.get("properties"));
        let Some(Value::Object(properties)) = properties else { return Vec::new() };
        properties
            .iter()
            .map(|(name, schema)| Column { name: name.clone(), kind: Kind::of_schema(schema) })
            .collect()
    }

    /// The SQL expression over `_raw_data`. A value of another type than the schema says is shown
    /// as its JSON text, so that nothing is ever turned into something else.
    pub(crate) fn expression(&self) -> String {
        let path = path(&[&self.name]);
        let whole = format!("_raw_data -> {path}");
        let value = format!("_raw_data ->> {path}");
        if self.kind == Kind::Json {
            return format!("NULLIF({whole}, 'null')");
        }
        let own = match self.kind {
            Kind::Text | Kind::Json => String::new(),
            Kind::Boolean => "WHEN 'true' THEN 1 WHEN 'false' THEN 0 ".to_owned(),
            Kind::Integer => exact_integer(&value, &whole),
            Kind::Number => format!("{}WHEN 'real' THEN {value} ", exact_integer(&value, &whole)),
            Kind::Reference => {
                let id = self::path(&[&self.name, "id"]);
                format!("WHEN 'object' THEN coalesce(_raw_data ->> {id}, {whole}) ")
            }
        };
        format!(
            "CASE json_type(_raw_data, {path}) {own}WHEN 'text' THEN {value} WHEN 'null' THEN NULL ELSE {whole} END"
        )
    }
}

/// SQLite reads an integer beyond 64 bits as a float; then its digits are shown instead.
fn exact_integer(value: &str, digits: &str) -> String {
    format!("WHEN 'integer' THEN CASE typeof({value}) WHEN 'integer' THEN {value} ELSE {digits} END ")
}

impl Kind {
    fn of_schema(schema: &Value) -> Kind {
        let Value::Object(schema) = schema else { return Kind::Text };
        if schema.get("x-expandable-reference") == Some(&Value::Bool(true)) {
            return Kind::Reference;
        }
        for composition in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = schema.get(composition) {
                let mut real = branches.iter().filter(|branch| branch.get("type") != Some(&"null".into()));
                return match (real.next(), real.next()) {
                    (Some(branch), None) => Kind::of_schema(branch),
                    _ => Kind::Text,
                };
            }
        }
        match type_name(schema) {
            Some("boolean") => Kind::Boolean,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("object" | "array") => Kind::Json,
            _ => Kind::Text,
        }
    }
}

/// The one type besides `null`.
fn type_name(schema: &Map<String, Value>) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => {
            let mut real = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            let first = real.next()?;
            real.next().is_none().then_some(first)
        }
        _ => None,
    }
}

/// A JSON path to nested members as an SQL text.
pub(crate) fn path(names: &[&str]) -> String {
    let labels: String = names.iter().map(|name| format!(".{}", Value::from(*name))).collect();
    text(&format!("${labels}"))
}

/// An SQL text literal.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use rusqlite::types::Value as Cell;
    use serde_json::json;

    fn shown(kind: Kind, name: &str, payload: &str) -> Cell {
        let column = Column { name: name.to_owned(), kind };
        let sql = format!("SELECT {} FROM (SELECT ?1 AS _raw_data)", column.expression());
        Connection::open_in_memory().unwrap().query_row(&sql, [payload], |row| row.get(0)).unwrap()
    }

    fn words(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn values_are_shown_exactly_or_as_their_text() {
        for (kind, value, expected) in [
            (Kind::Text, r#""a\u00e9""#, words("aé")),
            (Kind::Text, "18446744073709551616", words("18446744073709551616")),
            (Kind::Text, "true", words("true")),
            (Kind::Text, "null", Cell::Null),
            (Kind::Text, r#""null""#, words("null")),
            (Kind::Boolean, "true", Cell::Integer(1)),
            (Kind::Boolean, "false", Cell::Integer(0)),
            (Kind::Boolean, r#""yes""#, words("yes")),
            (Kind::Integer, "9007199254740993", Cell::Integer(9_007_199_254_740_993)),
            (Kind::Integer, "-9223372036854775808", Cell::Integer(i64::MIN)),
            (Kind::Integer, "9223372036854775808", words("9223372036854775808")),
            (Kind::Integer, "1.50", words("1.50")),
            (Kind::Integer, "null", Cell::Null),
            (Kind::Number, "1.5", Cell::Real(1.5)),
            (Kind::Number, "3", Cell::Integer(3)),
            (Kind::Number, "123456789012345678901234567890", words("123456789012345678901234567890")),
            (Kind::Json, r#"{"a":[1.10,null]}"#, words(r#"{"a":[1.10,null]}"#)),
            (Kind::Json, "null", Cell::Null),
            (Kind::Json, r#""x""#, words(r#""x""#)),
            (Kind::Reference, r#""cus_1""#, words("cus_1")),
            (Kind::Reference, r#"{"object":"customer","id":"cus_2"}"#, words("cus_2")),
            (Kind::Reference, r#"{"a":1}"#, words(r#"{"a":1}"#)),
            (Kind::Reference, "null", Cell::Null),
        ] {
            let payload = format!(r#"{{"p":{value}}}"#);
            assert_eq!(shown(kind, "p", &payload), expected, "{kind:?} {value}");
        }
        for kind in [Kind::Text, Kind::Boolean, Kind::Integer, Kind::Number, Kind::Json, Kind::Reference] {
            assert_eq!(shown(kind, "p", "{}"), Cell::Null);
        }
    }

    #[test]
    fn any_name_is_found() {
        for name in ["a.b", "a'b", "a\"b", "$", "[0]", "", "é😀", "a\\b", "a\nb", "rowid"] {
            let payload = json!({"other": 0, name: "x"}).to_string();
            assert_eq!(shown(Kind::Text, name, &payload), words("x"), "{name:?}");
        }
    }

    #[test]
    fn kinds_come_from_the_schema() {
        for (schema, kind) in [
            (json!({"type": "string", "format": "date-time"}), Kind::Text),
            (json!({"oneOf": [{"type": "integer"}, {"type": "null"}]}), Kind::Integer),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), Kind::Text),
            (json!({"type": ["boolean", "null"]}), Kind::Boolean),
            (json!({"type": ["boolean", "string"]}), Kind::Text),
            (json!({"type": "array"}), Kind::Json),
            (json!({"oneOf": [{"type": "object"}, {"type": "null"}]}), Kind::Json),
            (json!({"type": "string", "x-expandable-reference": true}), Kind::Reference),
            (
                json!({"oneOf": [{"type": "string", "x-expandable-reference": true}, {"type": "null"}]}),
                Kind::Reference,
            ),
            (json!({"enum": ["a"]}), Kind::Text),
            (json!(true), Kind::Text),
        ] {
            assert_eq!(Kind::of_schema(&schema), kind, "{schema}");
        }
    }
}
