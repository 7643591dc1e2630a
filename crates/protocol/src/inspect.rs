//! Reading back what a destination holds: keys and hashes, not payloads.

use std::pin::Pin;

use futures::stream::Stream;
use serde_json::value::RawValue;

use crate::{ConfiguredStream, ConnectorError, ContentHash, PARENT_ID, RawJson};

/// Rows, read as they are pulled, in no order. Dropping it stops the work.
pub type RowStream = Pin<Box<dyn Stream<Item = Result<StoredRow, ConnectorError>> + Send>>;

/// What to read back of one stream.
#[derive(Debug, Clone)]
pub struct InspectRequest {
    /// The stream, as it was written.
    pub stream: ConfiguredStream,
    /// Only rows whose `_account_id` this is.
    pub account_id: Option<String>,
    /// Which of them.
    pub rows: InspectedRows,
}

/// Which rows of a stream to read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectedRows {
    /// All.
    All,
    /// Those whose `created`, in unix seconds, is within the bounds; a row without counts as of second 0.
    Created {
        /// Inclusive lower bound.
        gte: i64,
        /// Exclusive upper bound.
        lt: i64,
        /// With a number only about so many, the newest: whole seconds of them, and more only where the last
        /// second has more.
        newest: Option<u32>,
    },
    /// Those of these keys that are stored. A key is the texts of the key fields.
    Keys(Vec<Vec<String>>),
}

/// A row that a destination holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Texts of the key fields, in the stream's order.
    pub key: Vec<String>,
    /// What its payload says.
    pub hash: ContentHash,
    /// Value of the stream's `newer_than_field`; 0 where it has none.
    pub version: i64,
    /// `created` of the payload, where it is a whole number.
    pub created: Option<i64>,
    /// `_parent_id` of the payload.
    pub parent: Option<String>,
}

impl StoredRow {
    /// The row that has this key and payload. Fails if the payload is not an object.
    pub fn of(key: Vec<String>, payload: &RawJson, newer_than: &str) -> Result<StoredRow, ConnectorError> {
        let members = payload.members([newer_than, "created", PARENT_ID]).map_err(|error| {
            let text = format!("the stored row {} is not a JSON object", key.join(", "));
            ConnectorError::internal(text).caused_by(error)
        })?;
        let [version, created, parent] = members.map(|value| value.map(RawValue::get));
        Ok(StoredRow {
            hash: ContentHash::of(payload),
            version: version.and_then(seconds).unwrap_or_default(),
            created: created.and_then(seconds),
            parent: parent.and_then(|text| serde_json::from_str(text).ok()),
            key,
        })
    }
}

fn seconds(json: &str) -> Option<i64> {
    json.parse().ok()
}
