//! Which rows are all that a parent has: those it no longer holds have to go.

use std::sync::Arc;

use protocol::{Message, Payload, Record, Sweep, Timestamp};

/// More rows of one parent than this are not named one by one; which of them went is found by a reconcile.
const MOST: usize = 10_000;

/// The rows of one parent, as they are read.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    keep: Vec<String>,
    version: Option<i64>,
}

impl Siblings {
    /// Takes in rows that were read as of the second `version`.
    pub(crate) fn add<'i>(&mut self, ids: impl Iterator<Item = &'i str>, version: i64) {
        self.keep.extend(ids.map(str::to_owned));
        // A row that was made after the first page was read may be missing, and must stay.
        self.version = Some(self.version.map_or(version, |first| first.min(version)));
    }

    /// What they come to, unless there are too many.
    pub(crate) fn sweep(self, parent: &str, account: &str) -> Option<Sweep> {
        let version = self.version.filter(|_| self.keep.len() <= MOST)?;
        Some(Sweep { parent: parent.to_owned(), account: account.to_owned(), keep: self.keep, version })
    }
}

/// The message that lets all other rows of the parent go.
pub(crate) fn sweep_message(stream: &Arc<str>, sweep: &Sweep) -> Message {
    let emitted_at = Timestamp::now();
    Payload::Record(Record { stream: Arc::clone(stream), data: sweep.write(), deleted: true, emitted_at })
        .into()
}
