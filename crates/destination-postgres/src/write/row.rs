//! One record as the writer sees it.

use std::fmt;

use protocol::{ConnectorError, ErrorKind, RawJson, Record, Stream};
use serde_json::value::RawValue;

use super::storable::storable;

/// Most fields of a primary key.
pub(super) const MAX_KEY_FIELDS: usize = 7;

/// Which fields of a stream's records say what a row is and how new.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) stream: String,
    pub(super) key: Vec<String>,
    pub(super) newer_than: String,
}

/// The values of the primary key, as the columns show them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(pub(super) Vec<String>);

impl Key {
    /// The key in the table of tombstones: a JSON array.
    pub(super) fn as_tombstone(&self) -> String {
        serde_json::Value::from(self.0.clone()).to_string()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}

/// One record: what happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) change: Change,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The object, and the value of `newer_than_field`.
    Upsert { version: i64, payload: RawJson },
    /// It is gone. An unconditional deletion does not look at what is stored.
    Delete { version: i64, unconditional: bool },
}

impl Fields {
    /// Of a stream; fails where it has more key fields than a row can.
    pub(super) fn of(stream: &Stream) -> Result<Fields, ConnectorError> {
        let key: Vec<String> = stream.key_fields().into_iter().map(str::to_owned).collect();
        if key.len() > MAX_KEY_FIELDS {
            let text =
                format!("stream \"{}\": a primary key has at most {MAX_KEY_FIELDS} fields", stream.name);
            return Err(ConnectorError::config(text));
        }
        Ok(Fields { stream: stream.name.to_string(), key, newer_than: stream.newer_than_field.clone() })
    }

    /// Reads a record in one scan. `now` (unix seconds) is the version of a deletion that names none.
    pub(super) fn row(&self, record: &Record, now: i64) -> Result<Row, ConnectorError> {
        let replaced = storable(record.data.as_bytes()).map(|text| RawJson::from_trusted(text.into()));
        let is_replaced = replaced.is_some();
        let payload = replaced.unwrap_or_else(|| record.data.clone());
        let mut names = [&*self.newer_than; MAX_KEY_FIELDS + 1];
        for (name, field) in names.iter_mut().zip(&self.key) {
            *name = field;
        }
        let found = payload.members(names).map_err(|error| {
            self.refuse(&format!("a record is not a JSON object of readable keys: {error}")).caused_by(error)
        })?;
        let values = found.iter().zip(&self.key).map(|(value, field)| {
            let text = value.map(RawValue::get);
            text.and_then(key_text).ok_or_else(|| self.without_key(field, text, &found))
        });
        let key = Key(values.collect::<Result<_, _>>()?);
        if is_replaced {
            tracing::warn!(
                stream = self.stream,
                key = %key,
                "the object holds \\u0000 or half a surrogate pair, which jsonb cannot store; stored as \\ufffd"
            );
        }
        // Where the field is part of the key, its place is among the first.
        let place = names.iter().position(|name| *name == self.newer_than).unwrap_or(MAX_KEY_FIELDS);
        let version = found[place].and_then(|value| version(value.get()));
        let change = match (record.deleted, version) {
            (false, Some(version)) => Change::Upsert { version, payload },
            (true, Some(version)) => Change::Delete { version, unconditional: false },
            (true, None) => Change::Delete { version: now, unconditional: true },
            (false, None) => {
                let field = &self.newer_than;
                let text = format!(
                    "record {key} has no numeric `{field}`, so it cannot be told whether it is newer than \
                     the stored row; the source must stamp every record with `{field}` (unix seconds)"
                );
                return Err(self.refuse(&text));
            }
        };
        Ok(Row { key, change })
    }

    /// `field` is not a value a key can have; the other key fields tell which record it is.
    fn without_key(&self, field: &str, value: Option<&str>, found: &[Option<&RawValue>]) -> ConnectorError {
        let what = value.map_or("is missing".to_owned(), |value| {
            let short: String = value.chars().take(80).collect();
            format!("is {short}")
        });
        let others = found.iter().zip(&self.key).filter_map(|(value, _)| key_text(value.as_ref()?.get()));
        let others: Vec<String> = others.collect();
        let others = if others.is_empty() { String::new() } else { format!(" {}", others.join(", ")) };
        self.refuse(&format!(
            "the primary key field `{field}` of a record{others} {what}; it must be a text, a whole number \
             or a boolean"
        ))
    }

    fn refuse(&self, why: &str) -> ConnectorError {
        ConnectorError::new(ErrorKind::Permanent, format!("stream \"{}\": {why}", self.stream))
    }
}

/// The text that `->>` gives for a JSON value which can be part of a key.
fn key_text(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b't' | b'f' => Some(json.to_owned()),
        b'-' | b'0'..=b'9' => {
            let whole = !json.contains(['.', 'e', 'E']);
            whole.then(|| if json == "-0" { "0".to_owned() } else { json.to_owned() })
        }
        _ => None,
    }
}

/// A JSON number as whole seconds; fractions are cut off, for telling newer from older the database
/// compares the numbers themselves.
fn version(json: &str) -> Option<i64> {
    if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    // A cast saturates.
    json.parse().ok().or_else(|| json.parse().ok().map(|number: f64| number.floor() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Timestamp;

    fn fields(key: &[&str], newer_than: &str) -> Fields {
        Fields {
            stream: "s".to_owned(),
            key: key.iter().map(ToString::to_string).collect(),
            newer_than: newer_than.to_owned(),
        }
    }

    fn read(fields: &Fields, json: &'static str, deleted: bool) -> Result<Row, ConnectorError> {
        let data = RawJson::parse(json).unwrap();
        let emitted_at: Timestamp = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        fields.row(&Record { stream: "s".into(), data, deleted, emitted_at }, 99)
    }

    #[test]
    fn keys_are_what_the_columns_show() {
        let json = r#"{"id":"a\"\u00e9","n":-0,"b":true,"u":7}"#;
        let row = read(&fields(&["id", "n", "b"], "u"), json, false).unwrap();
        assert_eq!(row.key.0, ["a\"é", "0", "true"]);
        assert_eq!(row.key.as_tombstone(), r#"["a\"é","0","true"]"#);
        assert!(matches!(row.change, Change::Upsert { version: 7, .. }));
    }

    #[test]
    fn the_version_may_be_part_of_the_key() {
        let row = read(&fields(&["u", "id"], "u"), r#"{"id":"a","u":9223372036854775807}"#, true).unwrap();
        assert_eq!(row.key.0, ["9223372036854775807", "a"]);
        assert_eq!(row.change, Change::Delete { version: i64::MAX, unconditional: false });
    }

    #[test]
    fn a_deletion_without_version_is_unconditional() {
        for json in [r#"{"id":"a"}"#, r#"{"id":"a","u":null}"#, r#"{"id":"a","u":"5"}"#] {
            let change = read(&fields(&["id"], "u"), json, true).unwrap().change;
            assert_eq!(change, Change::Delete { version: 99, unconditional: true });
            let refusal = read(&fields(&["id"], "u"), json, false).unwrap_err().to_string();
            assert!(refusal.contains("stream \"s\": record a has no numeric `u`"), "{refusal}");
        }
    }

    #[test]
    fn unusable_keys_are_named() {
        for json in [r#"{"u":1}"#, r#"{"id":null,"u":1}"#, r#"{"id":{"a":1},"u":1}"#, r#"{"id":1.5,"u":1}"#] {
            let refusal = read(&fields(&["id"], "u"), json, false).unwrap_err().to_string();
            assert!(refusal.contains("primary key field `id`"), "{refusal}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("9223372036854775807"), Some(i64::MAX));
        assert_eq!(version("1.7e9"), Some(1_700_000_000));
        assert_eq!(version("-1.5"), Some(-2));
        assert_eq!(version("1e99"), Some(i64::MAX));
        assert_eq!(version("\"5\""), None);
    }
}
