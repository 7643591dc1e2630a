//! A destination in memory, with the rules that all destinations keep.

use std::collections::BTreeMap;

use protocol::{Message, Payload, RawJson, Record, SourceState, SourceStateMessage, StreamStatus, Sweep};

/// A stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: i64,
    pub(crate) parent: Option<String>,
    /// What wrote it, if it says so.
    pub(crate) source: Option<String>,
    /// Without the stamps.
    pub(crate) text: String,
}

/// What was stored so far.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    rows: BTreeMap<String, BTreeMap<String, Row>>,
    /// Version of deletion by stream and id.
    tombstones: BTreeMap<(String, String), i64>,
    pub(crate) state: SourceState,
    pub(crate) global_states: u64,
    pub(crate) ends: BTreeMap<String, StreamStatus>,
    /// Why each stream was begun.
    pub(crate) starts: BTreeMap<String, Option<String>>,
    pub(crate) logs: Vec<String>,
    pub(crate) records: u64,
}

#[derive(serde::Deserialize)]
struct Stamps {
    id: String,
    _updated_at: i64,
    _parent_id: Option<String>,
    _source: Option<String>,
}

impl Copy {
    pub(crate) fn take(&mut self, message: &Message) {
        match &message.payload {
            Payload::Record(record) => self.record(record),
            Payload::SourceState(state) => {
                self.global_states += u64::from(matches!(state, SourceStateMessage::Global { .. }));
                self.state.apply(state);
            }
            Payload::StreamStatus(status) => {
                if let StreamStatus::Start { reason, .. } = &status.status {
                    self.starts.insert(status.stream.to_string(), reason.clone());
                }
                self.ends.insert(status.stream.to_string(), status.status.clone());
            }
            Payload::Log(log) => self.logs.push(log.message.clone()),
            _ => {}
        }
    }

    fn record(&mut self, record: &Record) {
        self.records += 1;
        let stream = record.stream.to_string();
        if let Some(sweep) = Sweep::of(record) {
            self.sweep(&stream, &sweep.unwrap());
            return;
        }
        let Stamps { id, _updated_at: version, _parent_id: parent, _source: source } =
            record.data.read().unwrap();
        let rows = self.rows.entry(stream.clone()).or_default();
        let key = (stream, id.clone());
        if record.deleted {
            if rows.get(&id).is_none_or(|row| row.version <= version) {
                rows.remove(&id);
                let stone = self.tombstones.entry(key).or_insert(version);
                *stone = version.max(*stone);
            }
            return;
        }
        if self.tombstones.get(&key).is_some_and(|stone| version <= *stone) {
            return;
        }
        if rows.get(&id).is_none_or(|row| row.version <= version) {
            rows.insert(id, Row { version, parent, source, text: unstamped(&record.data) });
        }
    }

    fn sweep(&mut self, stream: &str, sweep: &Sweep) {
        let rows = self.rows.entry(stream.to_owned()).or_default();
        let gone = |(id, row): (&String, &Row)| {
            let goes = row.parent.as_ref() == Some(&sweep.parent) && !sweep.keep.contains(id);
            (goes && row.version <= sweep.version).then(|| id.clone())
        };
        for id in rows.iter().filter_map(gone).collect::<Vec<String>>() {
            rows.remove(&id);
            self.tombstones.insert((stream.to_owned(), id), sweep.version - 1);
        }
    }

    /// What wrote each row of a stream, as far as the rows say so.
    pub(crate) fn sources(&self, stream: &str) -> BTreeMap<String, Option<String>> {
        let rows = self.rows.get(stream).into_iter().flatten();
        rows.map(|(id, row)| (id.clone(), row.source.clone())).collect()
    }

    pub(crate) fn rows(&self, stream: &str) -> BTreeMap<String, String> {
        let rows = self.rows.get(stream).cloned().unwrap_or_default();
        rows.into_iter().map(|(id, row)| (id, row.text)).collect()
    }
}

fn unstamped(data: &RawJson) -> String {
    let text = data.as_str();
    let stamp = text.rfind("\"_updated_at\":").unwrap();
    format!("{}}}", text[..stamp].trim_end_matches(','))
}
