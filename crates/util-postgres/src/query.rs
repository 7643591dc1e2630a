//! Any statement, answered as JSON: for tools and tests, not for data.

use serde_json::{Map, Value};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

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
        _ => as_text(),
    }
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
        assert_eq!(value(None, Some(&Type::INT4)), Value::Null);
        assert_eq!(value(Some("12"), None), json!("12"));
    }
}
