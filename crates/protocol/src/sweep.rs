//! Sweeps: which children of a parent are left.
//!
//! A row of a child stream carries the id of its parent as `_parent_id`. When the parent is read again and a
//! child is gone, the source cannot name what went, but it knows what is left. It says so by a `record` message
//! on the child stream with `recordDeleted: true` whose data is exactly
//!
//! ```json
//! {"id":"","_parent_id":"sub_1","_keep":["si_1","si_2"],"_updated_at":1700000000,"_account_id":"acct_1"}
//! ```
//!
//! "As of that second, these are all the children of `sub_1`." A destination deletes every row of the stream that
//! has this parent and this account, whose `id` is not kept, and which is not newer. Where it remembers
//! deletions, it remembers each of these as of the second before: an older page must not bring the child back, but a
//! read of the same second may. A sweep takes its place among the records of its stream: it sees what came
//! before it and does not touch what comes after it. A destination that does not know sweeps deletes the row
//! with the id `""`, that is nothing.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ConnectorError, ErrorKind, RawJson, Record};

/// The member of a child's row that holds the id of its parent.
pub const PARENT_ID: &str = "_parent_id";

/// All children that a parent has at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Id of the parent.
    pub parent: String,
    /// The account that both belong to.
    pub account: String,
    /// Ids of the children that are left, in any order.
    pub keep: Vec<String>,
    /// When this was so, unix seconds. A child that is newer stays.
    pub version: i64,
}

/// What is on the wire, in this order.
#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    _parent_id: &'a str,
    _keep: &'a [String],
    _updated_at: i64,
    _account_id: &'a str,
}

#[derive(Deserialize)]
struct Read {
    _parent_id: String,
    _keep: Vec<String>,
    _updated_at: i64,
    _account_id: String,
}

impl Sweep {
    /// The data of the record; its `deleted` must be set.
    pub fn write(&self) -> RawJson {
        let written = Written {
            id: "",
            _parent_id: &self.parent,
            _keep: &self.keep,
            _updated_at: self.version,
            _account_id: &self.account,
        };
        // Texts and numbers can always be written.
        RawJson::from_trusted(serde_json::to_vec(&written).unwrap_or_default().into())
    }

    /// The sweep that a record is; `None` where it is an ordinary one. Only deletions are looked into. Fails where it
    /// looks like a sweep and is none.
    pub fn of(record: &Record) -> Option<Result<Sweep, ConnectorError>> {
        if !record.deleted {
            return None;
        }
        let Ok([id, Some(_)]) = record.data.members(["id", "_keep"]) else { return None };
        if id.map(RawValue::get) != Some("\"\"") {
            return None;
        }
        let read = serde_json::from_slice::<Read>(record.data.as_bytes());
        Some(match read {
            Ok(Read { _parent_id: parent, _keep: keep, _updated_at: version, _account_id: account }) => {
                Ok(Sweep { parent, account, keep, version })
            }
            Err(cause) => {
                let text = format!(
                    "stream `{}`: a sweep needs the texts `_parent_id` and `_account_id`, a list of texts `_keep` \
                     and whole seconds `_updated_at`: {cause}",
                    record.stream
                );
                Err(ConnectorError::new(ErrorKind::Permanent, text).caused_by(cause))
            }
        })
    }
}

/// A part of a batch: records, and after all of them sweeps of different parents, in any order.
#[derive(Debug, Default)]
pub struct Segment<'a> {
    /// Upserts and deletions, oldest first.
    pub records: Vec<&'a Record>,
    /// What to sweep then.
    pub sweeps: Vec<Sweep>,
}

/// Cuts the records of one stream into segments, which, one after the other, have the effect of the records one by
/// one. There is one segment where there are no sweeps, and mostly one where there are: an upsert goes before a
/// sweep that came earlier if the sweep would not have touched its row. `newer_than` is the stream's field.
pub fn segments<'a>(
    records: impl Iterator<Item = &'a Record>,
    newer_than: &str,
) -> Result<Vec<Segment<'a>>, ConnectorError> {
    let mut segments = Vec::new();
    let mut current = Segment::default();
    for record in records {
        match Sweep::of(record).transpose()? {
            Some(sweep) => {
                if current.sweeps.iter().any(|earlier| earlier.parent == sweep.parent) {
                    segments.push(std::mem::take(&mut current));
                }
                current.sweeps.push(sweep);
            }
            None => {
                if !goes_before(record, &current.sweeps, newer_than) {
                    segments.push(std::mem::take(&mut current));
                }
                current.records.push(record);
            }
        }
    }
    if !current.records.is_empty() || !current.sweeps.is_empty() {
        segments.push(current);
    }
    Ok(segments)
}

/// Whether a record may as well be written before sweeps that came earlier. Of another parent it may; it
/// also has to be as new as they, for the stored row of its key may be a child of theirs still.
fn goes_before(record: &Record, sweeps: &[Sweep], newer_than: &str) -> bool {
    if sweeps.is_empty() {
        return true;
    }
    let Ok([Some(parent), Some(version)]) = record.data.members([PARENT_ID, newer_than]) else {
        return false;
    };
    let (Ok(parent), Ok(version)) =
        (serde_json::from_str::<String>(parent.get()), version.get().parse::<i64>())
    else {
        return false;
    };
    !record.deleted && sweeps.iter().all(|sweep| sweep.parent != parent && sweep.version <= version)
}
