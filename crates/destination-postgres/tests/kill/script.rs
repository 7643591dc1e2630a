//! What is written: changes of a few keys in several streams, told again from the stored state after each interruption.

use std::collections::BTreeMap;

use protocol::{ConfiguredCatalog, ConfiguredStream, Message, Payload, RawJson, Record};
use serde_json::json;

/// The streams.
pub(crate) const STREAMS: [&str; 3] = ["a", "b", "c"];
const KEYS: u64 = 6;

/// A change of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) stream: usize,
    pub(crate) key: u64,
    pub(crate) version: i64,
    pub(crate) deleted: bool,
}

/// What a seed stands for.
pub(crate) struct Script {
    pub(crate) changes: Vec<Change>,
    /// Bytes in each payload; many make batches that are written in parts.
    padding: usize,
    pub(crate) batch_size: usize,
}

/// What a stream's table holds: the payloads by key.
pub(crate) type Rows = BTreeMap<String, String>;

/// Numbers that a seed determines (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

impl Script {
    pub(crate) fn of(seed: u64) -> Script {
        let mut numbers = Numbers(seed);
        let is_large = seed.is_multiple_of(4);
        let padding = if is_large { 200_000 } else { 10 };
        let count = if is_large { 40 } else { 120 };
        let change = |at: u64| Change {
            stream: numbers.below(3) as usize,
            key: numbers.below(KEYS),
            // Mostly newer than before; at times as old, or stale.
            version: (at / 4 + numbers.below(6)) as i64,
            deleted: numbers.below(4) == 0,
        };
        let changes = (0..count).map(change).collect();
        Script { changes, padding, batch_size: 1 + Numbers(!seed).below(9) as usize }
    }

    fn payload(&self, at: usize) -> String {
        let Change { key, version, .. } = self.changes[at];
        let padding = "x".repeat(self.padding);
        json!({"id": format!("k{key}"), "at": at, "padding": padding, "updated": version}).to_string()
    }

    /// The changes that are not covered by the states (how many changes, by stream), with states between.
    pub(crate) fn messages(&self, states: &BTreeMap<String, usize>) -> Vec<Message> {
        let mut messages = Vec::new();
        for (at, change) in self.changes.iter().enumerate() {
            let name = STREAMS[change.stream];
            if states.get(name).is_some_and(|covered| at < *covered) {
                continue;
            }
            let record = Record {
                stream: name.into(),
                data: RawJson::parse(self.payload(at)).expect("JSON"),
                deleted: change.deleted,
                emitted_at: serde_json::from_value(json!("2026-11-01T00:00:00Z")).expect("a time"),
            };
            messages.push(Payload::Record(record).into());
            if at % 3 == 0 {
                let state = RawJson::parse((at + 1).to_string()).expect("JSON");
                messages.push(Message::stream_state(&name.into(), state));
            }
        }
        messages
    }

    /// What the table of a stream holds once so many changes of all are applied, by the rules alone.
    pub(crate) fn rows(&self, stream: usize, count: usize) -> Rows {
        enum Known {
            Row(usize),
            Gone,
        }
        let mut known: BTreeMap<u64, (i64, Known)> = BTreeMap::new();
        for (at, change) in
            self.changes[..count].iter().enumerate().filter(|(_, change)| change.stream == stream)
        {
            let is_stale = match known.get(&change.key) {
                Some((stored, Known::Row(_))) => change.version < *stored,
                Some((deleted, Known::Gone)) => change.version <= *deleted,
                None => false,
            };
            if !is_stale {
                let now = if change.deleted { Known::Gone } else { Known::Row(at) };
                known.insert(change.key, (change.version, now));
            }
        }
        let rows = known.into_iter().filter_map(|(key, (_, known))| match known {
            Known::Row(at) => Some((format!("k{key}"), self.payload(at))),
            Known::Gone => None,
        });
        rows.collect()
    }
}

/// The catalog of the streams.
pub(crate) fn catalog() -> ConfiguredCatalog {
    let stream = |name| {
        let stream = json!({"name": name, "primary_key": [["id"]], "newer_than_field": "updated"});
        ConfiguredStream::whole(serde_json::from_value(stream).expect("a stream"))
    };
    ConfiguredCatalog { streams: STREAMS.map(stream).into() }
}
