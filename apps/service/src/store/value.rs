//! What goes into a database and comes out of it, whichever it is.

use super::StoreError;

/// A value of a column or of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A whole number; times are milliseconds since 1970.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Value {
        Value::Text(value)
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Value {
        Value::Text(value.map(str::to_owned))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Bytes(Some(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Int(Some(value.into()))
    }
}

/// A row, its columns in the order of the statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(pub(super) Vec<Value>);

impl Row {
    /// The number in this column, if any.
    pub(crate) fn int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            // A database that has no types for what is absent says it in its own.
            Some(Value::Text(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(unexpected(column, "a number")),
        }
    }

    /// The text in this column, if any.
    pub(crate) fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value.clone()),
            Some(Value::Int(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(unexpected(column, "a text")),
        }
    }

    /// The bytes in this column, if any.
    pub(crate) fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Ok(value.clone()),
            Some(Value::Int(None) | Value::Text(None)) => Ok(None),
            _ => Err(unexpected(column, "bytes")),
        }
    }

    /// The number that must be in this column.
    pub(crate) fn required_int(&self, column: usize) -> Result<i64, StoreError> {
        self.int(column)?.ok_or_else(|| unexpected(column, "a number"))
    }

    /// The text that must be in this column.
    pub(crate) fn required_text(&self, column: usize) -> Result<String, StoreError> {
        self.text(column)?.ok_or_else(|| unexpected(column, "a text"))
    }

    /// The bytes that must be in this column.
    pub(crate) fn required_bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        self.bytes(column)?.ok_or_else(|| unexpected(column, "bytes"))
    }
}

fn unexpected(column: usize, what: &str) -> StoreError {
    StoreError::broken(format!("the store holds something else than {what} in column {column} of a row"))
}

/// A statement of SQL that both databases understand. Tables are written `@name`, the database's clock `@now`
/// (milliseconds since 1970), parameters `$1`, `$2`, ….
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) must_answer: bool,
}

impl Statement {
    /// A statement with its parameters.
    pub(crate) fn new(sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement { sql: sql.into(), values: values.into_iter().collect(), must_answer: false }
    }

    /// The same; the whole transaction is undone if it answers no row (`returning` makes a change answer).
    pub(crate) fn must_answer(self) -> Statement {
        Statement { must_answer: true, ..self }
    }
}

/// What each statement of a transaction answered.
pub(crate) type Rows = Vec<Row>;
