//! Which objects and rows do not match. Decides only.

use std::collections::HashMap;

use protocol::{ConnectorError, ContentHash, RawJson, StoredRow, Stream};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// An object as it should be stored.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) key: Vec<String>,
    pub(crate) hash: ContentHash,
    pub(crate) version: i64,
    pub(crate) data: RawJson,
}

impl Expected {
    /// Reads a payload. Fails where it has no key.
    pub(crate) fn of(stream: &Stream, data: RawJson) -> Result<Expected, ConnectorError> {
        let refused = |why: &str| {
            ConnectorError::internal(format!("stream `{}`: {why}: {:.80}", stream.name, data.as_str()))
        };
        let mut key = Vec::new();
        let mut version = None;
        let fields = stream.key_fields();
        // Most keys are found, together with the version, in one scan.
        for fields in fields.chunks(3) {
            let mut names = [stream.newer_than_field.as_str(); 4];
            names[1..=fields.len()].copy_from_slice(fields);
            let found = data.members(names).map_err(|_| refused("a record is not an object"))?;
            version = found[0].and_then(|value| value.get().parse().ok());
            for value in &found[1..=fields.len()] {
                key.push(value.and_then(text).ok_or_else(|| refused("a record has no key"))?);
            }
        }
        Ok(Expected { key, hash: ContentHash::of(&data), version: version.unwrap_or_default(), data })
    }
}

/// A text, number or boolean as text.
fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(json.to_owned()),
    }
}

/// The rows of a part of a stream, against which its objects are held.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    rows: HashMap<Vec<String>, StoredRow>,
}

impl Comparison {
    pub(crate) fn with(rows: Vec<StoredRow>) -> Comparison {
        Comparison { rows: rows.into_iter().map(|row| (row.key.clone(), row)).collect() }
    }

    /// Takes an object in. Answers it where its row is not what it should be.
    pub(crate) fn take(&mut self, expected: Expected) -> Option<Expected> {
        let row = self.rows.remove(&expected.key);
        let equal = row.is_some_and(|row| row.hash == expected.hash);
        (!equal).then_some(expected)
    }

    /// The rows whose object did not come; without those that are newer than the reading, which began at this
    /// second.
    pub(crate) fn rest(self, began: i64) -> Vec<StoredRow> {
        self.rows.into_values().filter(|row| row.version <= began).collect()
    }
}

/// What is the matter with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    Missing,
    Different,
}

/// Judges an object by its row as it is now. A row that is newer than the object, and than the reading, which began
/// at this second, has changed meanwhile.
pub(crate) fn judge(expected: &Expected, row: Option<&StoredRow>, began: i64) -> Verdict {
    match row {
        None => Verdict::Missing,
        Some(row) if row.hash == expected.hash => Verdict::Fine,
        Some(row) if row.version > expected.version && row.version > began => Verdict::Fine,
        Some(_) => Verdict::Different,
    }
}

/// The payload with a version that is at least this. All else stays as it is.
pub(crate) fn with_version(data: &RawJson, field: &str, version: i64) -> RawJson {
    let Ok([Some(found)]) = data.members([field]) else { return data.clone() };
    if found.get().parse::<i64>().is_ok_and(|own| own >= version) {
        return data.clone();
    }
    // The value was borrowed from the text, so its place is known.
    let begin = found.get().as_ptr().addr() - data.as_bytes().as_ptr().addr();
    let (before, after) = (&data.as_str()[..begin], &data.as_str()[begin + found.get().len()..]);
    RawJson::from_trusted(format!("{before}{version}{after}").into())
}

/// What a deletion says: the key and when.
pub(crate) fn tombstone(stream: &Stream, key: &[String], version: i64) -> Result<RawJson, ConnectorError> {
    let fields = stream.key_fields().into_iter().zip(key);
    let mut data: Map<String, Value> =
        fields.map(|(field, value)| (field.to_owned(), value.as_str().into())).collect();
    data.insert(stream.newer_than_field.clone(), version.into());
    RawJson::from_value(&data)
        .map_err(|error| ConnectorError::internal("a tombstone cannot be written").caused_by(error))
}

/// How a key is told to people: without the account, which is the same for all.
pub(crate) fn shown(stream: &Stream, key: &[String]) -> String {
    let fields = stream.key_fields().into_iter().zip(key);
    let parts: Vec<&str> =
        fields.filter(|(field, _)| *field != "_account_id").map(|(_, value)| value.as_str()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stream() -> Stream {
        serde_json::from_value(json!({
            "name": "s", "primary_key": [["id"], ["_account_id"]], "newer_than_field": "_updated_at",
        }))
        .unwrap()
    }

    fn expected(text: &str) -> Expected {
        Expected::of(&stream(), RawJson::parse(text.to_owned()).unwrap()).unwrap()
    }

    fn row(text: &str) -> StoredRow {
        let expected = expected(text);
        StoredRow::of(expected.key, &expected.data, "_updated_at").unwrap()
    }

    const A: &str = r#"{"id":"a","n":1,"_updated_at":5,"_account_id":"x"}"#;

    #[test]
    fn keys_and_versions_are_read() {
        let read = expected(A);
        assert_eq!((read.key, read.version), (vec!["a".to_owned(), "x".to_owned()], 5));
        let without = RawJson::parse(r#"{"id":"a"}"#).unwrap();
        assert!(Expected::of(&stream(), without).unwrap_err().to_string().contains("no key"));
        let mut wide = stream();
        wide.primary_key = ["id", "b", "c", "d"].map(|field| vec![field.to_owned()]).to_vec();
        let data = RawJson::parse(r#"{"d":4,"c":true,"b":"é","id":"a","_updated_at":9}"#).unwrap();
        let read = Expected::of(&wide, data).unwrap();
        assert_eq!((read.key.join(" "), read.version), ("a é true 4".to_owned(), 9));
    }

    #[test]
    fn what_matches_is_taken_away_and_the_rest_is_left() {
        let other = A.replace("\"a\"", "\"b\"");
        let newer = A.replace("\"a\"", "\"c\"").replace('5', "7");
        let mut comparison = Comparison::with(vec![row(A), row(&other), row(&newer)]);
        assert!(comparison.take(expected(&A.replace('5', "9"))).is_none(), "the version does not count");
        assert!(comparison.take(expected(A)).is_some(), "taken once");
        let rest = comparison.rest(6);
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].key[0], "b");
    }

    #[test]
    fn a_row_that_changed_meanwhile_is_no_difference() {
        let changed = A.replace("\"n\":1", "\"n\":2");
        let object = expected(A);
        assert_eq!(judge(&object, None, 5), Verdict::Missing);
        assert_eq!(judge(&object, Some(&row(A)), 5), Verdict::Fine);
        assert_eq!(judge(&object, Some(&row(&changed)), 5), Verdict::Different);
        let newer = changed.replace(":5", ":8");
        assert_eq!(judge(&object, Some(&row(&newer)), 7), Verdict::Fine);
        assert_eq!(judge(&object, Some(&row(&newer)), 8), Verdict::Different);
    }

    #[test]
    fn a_version_is_raised_where_it_stands() {
        let data = RawJson::parse(A).unwrap();
        let raised = with_version(&data, "_updated_at", 12);
        assert_eq!(raised.as_str(), A.replace(":5", ":12"));
        assert_eq!(with_version(&data, "_updated_at", 5), data);
        let grave = tombstone(&stream(), &["a".to_owned(), "x".to_owned()], 9).unwrap();
        assert_eq!(grave.as_str(), r#"{"id":"a","_account_id":"x","_updated_at":9}"#);
        assert_eq!(shown(&stream(), &["a".to_owned(), "x".to_owned()]), "a");
    }
}
