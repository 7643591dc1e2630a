//! Which rows are all that a parent has: those it no longer holds have to go.

use std::sync::Arc;

use protocol::{Message, Payload, RawJson, Record, Timestamp};
use serde::Serialize;

/// More rows of one parent than this are not named one by one; which of them went is found by a reconcile.
const MOST: usize = 10_000;

/// The rows of one parent, as they are read.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    keep: Vec<String>,
    version: Option<i64>,
}

/// All rows of a parent as of a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sweep {
    pub(crate) parent: String,
    /// Their ids.
    pub(crate) keep: Vec<String>,
    /// Unix seconds.
    pub(crate) version: i64,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    #[serde(rename = "_parent_id")]
    parent: &'a str,
    #[serde(rename = "_keep")]
    keep: &'a [String],
    #[serde(rename = "_updated_at")]
    version: i64,
    #[serde(rename = "_account_id")]
    account: &'a str,
}

impl Siblings {
    /// Takes in rows that were read as of the second `version`.
    pub(crate) fn add<'i>(&mut self, ids: impl Iterator<Item = &'i str>, version: i64) {
        self.keep.extend(ids.map(str::to_owned));
        // A row that was made after the first page was read may be missing, and must stay.
        self.version = Some(self.version.map_or(version, |first| first.min(version)));
    }

    /// What they come to, unless there are too many.
    pub(crate) fn sweep(self, parent: &str) -> Option<Sweep> {
        let version = self.version.filter(|_| self.keep.len() <= MOST)?;
        Some(Sweep { parent: parent.to_owned(), keep: self.keep, version })
    }
}

impl Sweep {
    /// The message that lets all other rows of the parent go.
    pub(crate) fn message(
        &self,
        stream: &Arc<str>,
        account_id: &str,
    ) -> Result<Message, protocol::RawJsonError> {
        let data = RawJson::from_value(&Data {
            id: "",
            parent: &self.parent,
            keep: &self.keep,
            version: self.version,
            account: account_id,
        })?;
        let record = Record { stream: Arc::clone(stream), data, deleted: true, emitted_at: Timestamp::now() };
        Ok(Payload::Record(record).into())
    }
}
