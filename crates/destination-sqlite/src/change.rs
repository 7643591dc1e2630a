//! What a batch comes to: one change per key. Decides only; touches no file.

use std::borrow::Cow;
use std::collections::HashMap;

use protocol::{RawJson, Record, scalar_text};
use serde_json::value::RawValue;

use crate::SqliteError;
use crate::layout::Layout;

/// The values of a primary key, as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a>(pub(crate) Vec<Cow<'a, str>>);

impl Key<'_> {
    /// A JSON array of the values.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

/// What happens to a row in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End<'a> {
    /// It becomes this payload.
    Upsert(&'a RawJson),
    /// It goes.
    Delete,
}

/// All that a batch says about one key, as one step. Whatever is stored, it has the same effect as
/// the records one by one. (Where a delete from the future meets one without a version, the
/// later of their times is remembered, even if one by one the former would have been forgotten.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// A delete without a version came: whatever is stored goes first.
    pub(crate) forced: bool,
    pub(crate) end: End<'a>,
    /// Unix seconds.
    pub(crate) version: i64,
}

impl<'a> Change<'a> {
    fn upsert(payload: &'a RawJson, version: i64) -> Change<'a> {
        Change { forced: false, end: End::Upsert(payload), version }
    }

    /// A delete; one without a version is as of `now`.
    fn delete(version: Option<i64>, now: i64) -> Change<'a> {
        Change { forced: version.is_none(), end: End::Delete, version: version.unwrap_or(now) }
    }

    /// This change followed by `later`, which comes from one record.
    fn then(self, later: Change<'a>) -> Change<'a> {
        let later_stands = match (&self.end, &later.end) {
            (End::Upsert(_), End::Delete) if later.forced => true,
            // Of equal seconds the later upsert counts; a delete is not undone by its own second.
            (End::Upsert(_), _) | (End::Delete, End::Delete) => later.version >= self.version,
            (End::Delete, End::Upsert(_)) => later.version > self.version,
        };
        let forced = self.forced || later.forced;
        if later_stands { Change { forced, ..later } } else { Change { forced, ..self } }
    }
}

/// The changes of records in order of their first occurrence. `now` is in unix seconds.
pub(crate) fn changes<'a>(
    layout: &Layout,
    records: impl Iterator<Item = &'a Record>,
    now: i64,
) -> Result<Vec<(Key<'a>, Change<'a>)>, SqliteError> {
    let mut found: Vec<(Key<'a>, Option<Change<'a>>)> = Vec::new();
    let mut positions: HashMap<Key<'a>, usize> = HashMap::new();
    for record in records {
        let (key, change) = read(layout, record, now)?;
        match positions.get(&key) {
            Some(at) => {
                let (_, slot) = &mut found[*at];
                *slot = slot.take().map(|before| before.then(change));
            }
            None => {
                positions.insert(key.clone(), found.len());
                found.push((key, Some(change)));
            }
        }
    }
    Ok(found.into_iter().filter_map(|(key, change)| Some((key, change?))).collect())
}

fn read<'a>(layout: &Layout, record: &'a Record, now: i64) -> Result<(Key<'a>, Change<'a>), SqliteError> {
    let names: Vec<&str> =
        std::iter::once(&layout.newer_than).chain(&layout.key).map(String::as_str).collect();
    let members = members(&record.data, &names)
        .map_err(|cause| SqliteError::NotAnObject { stream: layout.stream.to_string(), cause })?;
    let (version, keys) = members.split_first().unwrap_or((&None, &[]));
    let values: Vec<Option<Cow<'a, str>>> = keys.iter().map(|value| value.and_then(scalar_text)).collect();
    if let Some(missing) = values.iter().position(Option::is_none) {
        return Err(no_key(layout, missing, &values));
    }
    let key = Key(values.into_iter().flatten().collect());
    let seconds = version.and_then(|value| value.get().parse::<i64>().ok());
    let change = match (record.deleted, seconds) {
        (true, seconds) => Change::delete(seconds, now),
        (false, Some(seconds)) => Change::upsert(&record.data, seconds),
        (false, None) => {
            return Err(SqliteError::NoVersion {
                stream: layout.stream.to_string(),
                field: layout.newer_than.clone(),
                key: key.to_json(),
                found: version.map_or("missing".to_owned(), |value| excerpt(value.get())),
            });
        }
    };
    Ok((key, change))
}

/// The named members, by one scan for every four names; most streams need three.
fn members<'a>(
    data: &'a RawJson,
    names: &[&str],
) -> Result<Vec<Option<&'a RawValue>>, protocol::RawJsonError> {
    let mut found = Vec::with_capacity(names.len());
    for group in names.chunks(4) {
        // A name that is asked for twice is answered at its first place only.
        let padded: [&str; 4] = std::array::from_fn(|at| group.get(at).copied().unwrap_or(group[0]));
        let values = data.members(padded)?;
        found.extend_from_slice(&values[..group.len()]);
    }
    // The version field may be part of the key.
    for at in 1..names.len() {
        if let Some(first) = names[..at].iter().position(|name| *name == names[at]) {
            found[at] = found[first];
        }
    }
    Ok(found)
}

fn no_key(layout: &Layout, missing: usize, values: &[Option<Cow<'_, str>>]) -> SqliteError {
    let known: Vec<String> = layout
        .key
        .iter()
        .zip(values)
        .filter_map(|(field, value)| value.as_ref().map(|value| format!("{field}: {value}")))
        .collect();
    SqliteError::NoKey {
        stream: layout.stream.to_string(),
        field: layout.key[missing].clone(),
        id: if known.is_empty() { "no other key field is set".to_owned() } else { known.join(", ") },
    }
}

fn excerpt(json: &str) -> String {
    let mut shown: String = json.chars().take(40).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests;
