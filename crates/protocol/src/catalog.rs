//! Streams: what a source offers and what a sync asks for.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Timestamp;

/// One kind of object that a source can read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// Name of the stream and of its table.
    pub name: Arc<str>,
    /// Paths of the primary key fields, e.g. `[["id"], ["_account_id"]]`.
    pub primary_key: Vec<Vec<String>>,
    /// Field by which a newer version of a record is told from an older one.
    pub newer_than_field: String,
    /// Shape of the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<Map<String, Value>>,
    /// Whatever else the source says about the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Carried for compatibility; no connector reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_delete_field: Option<String>,
}

impl Stream {
    /// First segment of each primary key path; `["id"]` where the stream names none.
    pub fn key_fields(&self) -> Vec<&str> {
        let fields: Vec<&str> =
            self.primary_key.iter().filter_map(|path| path.first()).map(String::as_str).collect();
        if fields.is_empty() { vec!["id"] } else { fields }
    }
}

/// The payload of a `catalog` message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogMessage {
    /// The streams the source can read.
    pub streams: Vec<Stream>,
}

/// How a source is asked to read; carried only, no connector acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Everything.
    FullRefresh,
    /// What is new since the cursor.
    Incremental,
}

/// How a destination is asked to write; carried only, no connector acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationSyncMode {
    /// Add.
    Append,
    /// Replace.
    Overwrite,
    /// Add, one row per key.
    AppendDedup,
}

/// An extra column that a destination keeps beside the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemColumn {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    #[serde(rename = "type", default = "SystemColumn::default_type")]
    pub column_type: String,
    /// Whether it gets an index.
    #[serde(default)]
    pub index: bool,
}

impl SystemColumn {
    fn default_type() -> String {
        "text".to_owned()
    }
}

/// A half-open range of time whose ends may be open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeRange {
    /// Inclusive lower bound.
    #[serde(
        default,
        deserialize_with = "Timestamp::deserialize_optional_bound",
        skip_serializing_if = "Option::is_none"
    )]
    pub gte: Option<Timestamp>,
    /// Exclusive upper bound.
    #[serde(
        default,
        deserialize_with = "Timestamp::deserialize_optional_bound",
        skip_serializing_if = "Option::is_none"
    )]
    pub lt: Option<Timestamp>,
}

/// A half-open range of time, `gte` inclusive and `lt` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// Inclusive lower bound.
    #[serde(deserialize_with = "Timestamp::deserialize_bound")]
    pub gte: Timestamp,
    /// Exclusive upper bound.
    #[serde(deserialize_with = "Timestamp::deserialize_bound")]
    pub lt: Timestamp,
}

impl From<Range> for TimeRange {
    fn from(range: Range) -> TimeRange {
        TimeRange { gte: Some(range.gte), lt: Some(range.lt) }
    }
}

/// A stream as one sync wants it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfiguredStream {
    /// The stream.
    pub stream: Stream,
    /// How to read.
    pub sync_mode: SyncMode,
    /// How to write.
    pub destination_sync_mode: DestinationSyncMode,
    /// Path of the cursor field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor_field: Option<Vec<String>>,
    /// Extra columns of the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_columns: Option<Vec<SystemColumn>>,
    /// Fields to keep; all when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Most records to read in the backfill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_limit: Option<u64>,
    /// `false` says that the stream cannot be narrowed by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supports_time_range: Option<bool>,
    /// The range of `created` to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_range: Option<TimeRange>,
    /// What becomes of the records after the source: text that changes when other fields are kept or other transforms
    /// apply. Absent where they are kept as they are. A source that goes on from a state reads a stream again whose
    /// revision is not the one it was read with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl ConfiguredStream {
    /// The whole stream, read by full refresh and appended.
    pub fn whole(stream: Stream) -> ConfiguredStream {
        ConfiguredStream {
            stream,
            sync_mode: SyncMode::FullRefresh,
            destination_sync_mode: DestinationSyncMode::Append,
            cursor_field: None,
            system_columns: None,
            fields: None,
            backfill_limit: None,
            supports_time_range: None,
            time_range: None,
            revision: None,
        }
    }
}

/// The streams of one sync.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfiguredCatalog {
    /// In the order in which the source discovered them.
    pub streams: Vec<ConfiguredStream>,
}

impl ConfiguredCatalog {
    /// The stream called `name`.
    pub fn stream(&self, name: &str) -> Option<&ConfiguredStream> {
        self.streams.iter().find(|configured| &*configured.stream.name == name)
    }
}
