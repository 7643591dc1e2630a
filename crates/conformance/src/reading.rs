//! What `read` says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{ConfiguredCatalog, ConfiguredStream, Payload, Record, SourceState, StreamStatus};

use crate::Breach;

/// Streams and keys of records; each part of a key as JSON text.
pub type Keys = BTreeSet<(Arc<str>, Vec<String>)>;

/// How many records there are of each stream.
pub type RowCounts = BTreeMap<Arc<str>, usize>;

/// No message is one that only engines send.
pub fn only_what_sources_say(said: &[Payload]) -> Result<(), Breach> {
    let foreign = said.iter().find(|payload| {
        matches!(
            payload,
            Payload::Progress(_)
                | Payload::Eof(_)
                | Payload::SourceInput(_)
                | Payload::Spec(_)
                | Payload::Catalog(_)
        )
    });
    match foreign {
        None => Ok(()),
        Some(payload) => Err(Breach::new(
            "`record`, `source_state`, `stream_status`, `log`, `connection_status` or `control`",
            format!("`read` says `{}`", payload.type_name()),
        )),
    }
}

/// Each configured stream starts once, before its records, and ends once, after all else that is said of it.
pub fn statuses_come_in_order(catalog: &ConfiguredCatalog, said: &[Payload]) -> Result<(), Breach> {
    let mut started = BTreeSet::new();
    let mut ended = BTreeSet::new();
    for payload in said {
        let Some(stream) = payload.stream() else { continue };
        Breach::unless(!ended.contains(stream), "nothing of a stream after its end", || {
            format!("`{}` of `{stream}` comes after it", payload.type_name())
        })?;
        match payload {
            Payload::StreamStatus(message) => {
                status_fits(stream, &message.status, &mut started)?;
                if message.status.is_terminal() {
                    ended.insert(Arc::clone(stream));
                }
            }
            Payload::Record(_) => {
                Breach::unless(started.contains(stream), "`start` before the records of a stream", || {
                    format!("a record of `{stream}` comes before it")
                })?;
            }
            _ => {}
        }
    }
    for configured in &catalog.streams {
        let name = &configured.stream.name;
        Breach::unless(
            ended.contains(name),
            "`complete`, `error` or `skip` at the end of each stream",
            || format!("`{name}` never ends"),
        )?;
    }
    Ok(())
}

fn status_fits(
    stream: &Arc<str>,
    status: &StreamStatus,
    started: &mut BTreeSet<Arc<str>>,
) -> Result<(), Breach> {
    match status {
        StreamStatus::Start { .. } => {
            Breach::unless(started.insert(Arc::clone(stream)), "one `start` of each stream", || {
                format!("`{stream}` starts twice")
            })
        }
        StreamStatus::RangeComplete { range_complete } => {
            Breach::unless(started.contains(stream), "`start` before `range_complete`", || {
                format!("a range of `{stream}` is complete before it starts")
            })?;
            Breach::unless(range_complete.gte <= range_complete.lt, "ranges from `gte` to `lt`", || {
                format!("one of `{stream}` is reversed: {range_complete:?}")
            })
        }
        StreamStatus::Skip { reason } => {
            Breach::unless(!reason.is_empty(), "the reason why a stream is skipped", || {
                format!("that of `{stream}` is empty")
            })
        }
        StreamStatus::Complete | StreamStatus::Error { .. } => {
            Breach::unless(started.contains(stream), "`start` before the end of a stream", || {
                format!("`{stream}` ends before it starts")
            })
        }
    }
}

/// Records, states and statuses are of configured streams.
pub fn only_of_the_streams(catalog: &ConfiguredCatalog, said: &[Payload]) -> Result<(), Breach> {
    for payload in said {
        if let Some(stream) = payload.stream() {
            Breach::unless(
                catalog.stream(stream).is_some(),
                "messages about the streams of the catalog alone",
                || format!("`{}` of `{stream}`, which is not among them", payload.type_name()),
            )?;
        }
    }
    Ok(())
}

fn configured<'c>(catalog: &'c ConfiguredCatalog, record: &Record) -> Result<&'c ConfiguredStream, Breach> {
    catalog.stream(&record.stream).ok_or_else(|| {
        let came = format!("a record of `{}`, which is not among them", record.stream);
        Breach::new("records of the streams of the catalog alone", came)
    })
}

/// A field of a record as JSON text.
fn field<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    let [value] = record.data.members([name]).ok()?;
    value.map(serde_json::value::RawValue::get)
}

/// The keys of the records that are no deletions. Fails where a record, deletions included, lacks a part of its key, or has an object or
/// a list in its place.
pub fn keys_of(catalog: &ConfiguredCatalog, said: &[Payload]) -> Result<Keys, Breach> {
    let mut keys = Keys::new();
    for payload in said {
        let Payload::Record(record) = payload else { continue };
        let mut key = Vec::new();
        for name in configured(catalog, record)?.stream.key_fields() {
            let value = field(record, name).filter(|value| !value.starts_with(['n', '{', '[']));
            let Some(value) = value else {
                let expected = "a text, a number or a boolean in each field of the primary key";
                let came =
                    format!("a record of `{}` has none in `{name}`: {:.200}", record.stream, record.data);
                return Err(Breach::new(expected, came));
            };
            key.push(value.to_owned());
        }
        if !record.deleted {
            keys.insert((Arc::clone(&record.stream), key));
        }
    }
    Ok(keys)
}

/// Records have a whole number in their stream's `newer_than_field`; deletions may do without.
pub fn records_have_their_version(catalog: &ConfiguredCatalog, said: &[Payload]) -> Result<(), Breach> {
    for payload in said {
        let Payload::Record(record) = payload else { continue };
        let name = configured(catalog, record)?.stream.newer_than_field.as_str();
        let version = field(record, name);
        let whole = version.is_some_and(|version| version.parse::<i64>().is_ok());
        let absent = record.deleted && version.is_none();
        Breach::unless(whole || absent, "a whole number of unix seconds in `newer_than_field`", || {
            format!("`{name}` of a record of `{}` is {}", record.stream, version.unwrap_or("missing"))
        })?;
    }
    Ok(())
}

/// The positions right after each state.
pub fn states_at(said: &[Payload]) -> Vec<usize> {
    let is_state = |position: &usize| matches!(said[position - 1], Payload::SourceState(_));
    (1..=said.len()).filter(is_state).collect()
}

/// What the messages up to a position say about where the source stands.
pub fn state_after(said: &[Payload], position: usize) -> SourceState {
    let mut state = SourceState::default();
    for payload in &said[..position] {
        if let Payload::SourceState(message) = payload {
            state.apply(message);
        }
    }
    state
}

/// Every row of `all` was seen: before the state that was read on from, or after it.
pub fn nothing_is_lost(all: &Keys, seen: &Keys) -> Result<(), Breach> {
    let lost: Vec<String> =
        all.difference(seen).map(|(stream, key)| format!("{stream} {}", key.join(","))).collect();
    Breach::unless(lost.is_empty(), "every row before a state or after it", || {
        let shown = lost.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        format!("{} of {} never come, such as {shown}", lost.len(), all.len())
    })
}

/// How many records there are of each stream, deletions included.
pub fn rows_by_stream(said: &[Payload]) -> RowCounts {
    let mut counts = RowCounts::new();
    for payload in said {
        if let Payload::Record(record) = payload {
            *counts.entry(Arc::clone(&record.stream)).or_default() += 1;
        }
    }
    counts
}
