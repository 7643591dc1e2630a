//! Any statement, answered as JSON: for tools and tests, not for data.

use serde_json::{Map, Value};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{Kind, Type};

use crate::{Database, FailureKind, PostgresError};

/// The most that an answer may hold, in bytes of text.
const MOST_BYTES: usize = 64 << 20;

/// What a statement answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JsonRows {
    /// The rows, by the names of their columns. Numbers that JSON readers would round, and types that JSON does not
    /// have, are texts.
    pub rows: Vec<Map<String, Value>>,
    /// How many rows were answered or changed; of the last statement where there are several.
    pub row_count: u64,
}

impl Database {
    /// Runs `sql`, which may be several statements, and answers the rows as JSON.
    pub async fn query_json(&self, sql: &str) -> Result<JsonRows, PostgresError> {
        let connection = self.connect().await?;
        // Only for the types; what cannot be prepared, such as several statements, still runs.
        let types: Vec<Type> = match connection.prepare(sql).await {
            Ok(statement) => statement.columns().iter().map(|column| column.type_().clone()).collect(),
            Err(_) => Vec::new(),
        };
        let messages = connection.simple_query(sql).await.map_err(|error| self.failure(error))?;
        let mut answer = JsonRows::default();
        let mut bytes = 0;
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    let mut object = Map::new();
                    for (index, column) in row.columns().iter().enumerate() {
                        let text = row.get(index);
                        bytes += text.map_or(0, str::len);
                        object.insert(column.name().to_owned(), value(text, types.get(index)));
                    }
                    answer.rows.push(object);
                }
                SimpleQueryMessage::CommandComplete(count) => answer.row_count = count,
                _ => {}
            }
            if bytes > MOST_BYTES {
                let text = format!("the answer is longer than {MOST_BYTES} bytes; ask for less");
                return Err(PostgresError::new(FailureKind::Permanent, text));
            }
        }
        Ok(answer)
    }
}

fn value(text: Option<&str>, of: Option<&Type>) -> Value {
    let Some(text) = text else { return Value::Null };
    let as_text = || Value::String(text.to_owned());
    match of {
        Some(&Type::BOOL) => Value::Bool(text == "t"),
        Some(
            &Type::INT2
            | &Type::INT4
            | &Type::OID
            | &Type::FLOAT4
            | &Type::FLOAT8
            | &Type::JSON
            | &Type::JSONB,
        ) => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
        Some(&Type::TIMESTAMPTZ) => {
            let instant = text.replacen(' ', "T", 1).parse::<jiff::Timestamp>();
            instant.map_or_else(|_| as_text(), |instant| Value::String(format!("{instant:.3}")))
        }
        Some(array) if *array != Type::BOX_ARRAY => match array.kind() {
            Kind::Array(item) => items(text, item).unwrap_or_else(as_text),
            _ => as_text(),
        },
        _ => as_text(),
    }
}

/// The items of an array as PostgreSQL writes it: `{1,NULL,"a b"}`, nested as deep as it has dimensions, and after its bounds where
/// they are not the usual ones (`[0:1]={1,2}`).
fn items(text: &str, item: &Type) -> Option<Value> {
    let start = if text.starts_with('[') { text.find("]={")? + 2 } else { 0 };
    let mut rest = text.get(start..)?;
    let array = nested(&mut rest, item, 0)?;
    rest.is_empty().then_some(array)
}

/// An array has six dimensions at the most.
const DIMENSIONS: usize = 6;

fn nested(rest: &mut &str, item: &Type, depth: usize) -> Option<Value> {
    *rest = rest.strip_prefix('{').filter(|_| depth < DIMENSIONS)?;
    let mut items = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(Value::Array(items));
    }
    loop {
        items.push(match rest.chars().next()? {
            '{' => nested(rest, item, depth + 1)?,
            '"' => value(Some(&quoted(rest)?), Some(item)),
            _ => {
                let (bare, after) = rest.split_at(rest.find([',', '}'])?);
                *rest = after;
                value((bare != "NULL").then_some(bare), Some(item))
            }
        });
        let (end, after) = rest.split_at_checked(1)?;
        *rest = after;
        match end {
            "," => {}
            "}" => return Some(Value::Array(items)),
            _ => return None,
        }
    }
}

/// What is between quotes; a backslash takes the next character as it is.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut characters = rest.strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    *rest = characters.as_str();
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_what_json_has_for_them() {
        let of = |text, of: &Type| value(Some(text), Some(of));
        assert_eq!(of("t", &Type::BOOL), json!(true));
        assert_eq!(of("12", &Type::INT4), json!(12));
        assert_eq!(of("NaN", &Type::FLOAT8), json!("NaN"));
        assert_eq!(of("9007199254740993", &Type::INT8), json!("9007199254740993"), "not rounded");
        assert_eq!(of(r#"{"a":[1]}"#, &Type::JSONB), json!({"a": [1]}));
        assert_eq!(of("2026-01-02 03:04:05.6+00", &Type::TIMESTAMPTZ), json!("2026-01-02T03:04:05.600Z"));
        assert_eq!(of("infinity", &Type::TIMESTAMPTZ), json!("infinity"));
        assert_eq!(of("{1,NULL,-3}", &Type::INT4_ARRAY), json!([1, null, -3]));
        assert_eq!(value(None, Some(&Type::INT4)), Value::Null);
        assert_eq!(value(Some("12"), None), json!("12"));
    }

    #[test]
    fn arrays_are_arrays_of_what_their_items_are() {
        let of = |text, of: &Type| value(Some(text), Some(of));
        assert_eq!(of("{}", &Type::INT8_ARRAY), json!([]));
        assert_eq!(of("{9007199254740993,2}", &Type::INT8_ARRAY), json!(["9007199254740993", "2"]));
        assert_eq!(of("{{1,2},{3,4}}", &Type::INT2_ARRAY), json!([[1, 2], [3, 4]]));
        assert_eq!(of("[0:1]={1,2}", &Type::INT4_ARRAY), json!([1, 2]));
        assert_eq!(of("{t,f}", &Type::BOOL_ARRAY), json!([true, false]));
        let texts = r#"{a,"b, c","NULL",NULL,"x\"y\\z","","{}",é}"#;
        let expected = json!(["a", "b, c", "NULL", null, "x\"y\\z", "", "{}", "é"]);
        assert_eq!(of(texts, &Type::TEXT_ARRAY), expected);
        assert_eq!(of(r#"{"{\"a\": 1}"}"#, &Type::JSONB_ARRAY), json!([{"a": 1}]));
        for odd in ["{1", "{1,}x", "1", "", "{\"a", "{{{{{{{1}}}}}}}", "{1}2", "[0:1]"] {
            assert_eq!(of(odd, &Type::TEXT_ARRAY), json!(odd), "as it came");
        }
        assert_eq!(of("{(1,1),(0,0)}", &Type::BOX_ARRAY), json!("{(1,1),(0,0)}"), "its items have commas");
    }
}
