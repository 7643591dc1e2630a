//! A destination in memory that tells accounts apart, with the rules that all destinations keep.

use std::collections::BTreeMap;

use protocol::{
    ConnectionState, Message, Payload, RawJson, Record, SourceState, SourceStateMessage, StreamStatus, Sweep,
};

/// Account and id.
type Key = (String, String);

/// What was stored so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copy {
    /// By stream: version and text.
    rows: BTreeMap<String, BTreeMap<Key, (i64, String)>>,
    tombstones: BTreeMap<(String, Key), i64>,
    pub(crate) state: SourceState,
    pub(crate) global_states: u64,
    pub(crate) statuses: Vec<(String, StreamStatus)>,
    pub(crate) logs: Vec<String>,
    pub(crate) connection: Option<String>,
}

#[derive(serde::Deserialize)]
struct Stamps {
    id: String,
    _updated_at: i64,
    _account_id: String,
}

impl Copy {
    pub(crate) fn take(&mut self, message: &Message) {
        match &message.payload {
            Payload::Record(record) => self.record(record),
            Payload::SourceState(state) => {
                self.global_states += u64::from(matches!(state, SourceStateMessage::Global { .. }));
                self.state.apply(state);
            }
            Payload::StreamStatus(said) => {
                self.statuses.push((said.stream.to_string(), said.status.clone()));
            }
            Payload::Log(log) => self.logs.push(log.message.clone()),
            Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
                self.connection = status.message.clone();
            }
            _ => {}
        }
    }

    fn record(&mut self, record: &Record) {
        // No stream of these tests has children that could be gone.
        if Sweep::of(record).is_some() {
            return;
        }
        let stream = record.stream.to_string();
        let Stamps { id, _updated_at: version, _account_id: account } = record.data.read().unwrap();
        let key = (account, id);
        let rows = self.rows.entry(stream.clone()).or_default();
        if rows.get(&key).is_some_and(|(newer, _)| *newer > version) {
            return;
        }
        let stone = self.tombstones.entry((stream, key.clone())).or_insert(i64::MIN);
        if record.deleted {
            *stone = version.max(*stone);
            rows.remove(&key);
        } else if version > *stone {
            rows.insert(key, (version, unstamped(&record.data)));
        }
    }

    /// The rows of a stream that belong to an account: texts by id.
    pub(crate) fn rows(&self, stream: &str, account: &str) -> BTreeMap<String, String> {
        let rows = self.rows.get(stream).into_iter().flatten();
        let rows = rows.filter(|((of, _), _)| of == account);
        rows.map(|((_, id), (_, text))| (id.clone(), text.clone())).collect()
    }

    /// All accounts of which there are rows.
    pub(crate) fn accounts(&self, stream: &str) -> Vec<String> {
        let mut accounts: Vec<String> =
            self.rows.get(stream).into_iter().flatten().map(|((account, _), _)| account.clone()).collect();
        accounts.dedup();
        accounts
    }

    /// The terminal statuses of a stream, in their order.
    pub(crate) fn ends(&self, stream: &str) -> Vec<StreamStatus> {
        let of_stream = self.statuses.iter().filter(|(name, status)| name == stream && status.is_terminal());
        of_stream.map(|(_, status)| status.clone()).collect()
    }
}

fn unstamped(data: &RawJson) -> String {
    let text = data.as_str();
    let stamp = text.rfind("\"_updated_at\":").unwrap();
    format!("{}}}", text[..stamp].trim_end_matches(','))
}
