//! What a run has done so far, as clients see it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{ConnectionStatus, Range, SyncState, Timestamp};

/// How a stream of a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamRunStatus {
    /// Nothing was said about it yet.
    #[default]
    NotStarted,
    /// It is being read.
    Started,
    /// Everything arrived.
    Completed,
    /// It cannot be read, and that is no failure.
    Skipped,
    /// It failed.
    Errored,
}

impl StreamRunStatus {
    /// Whether nothing more follows in this run.
    pub fn is_terminal(self) -> bool {
        matches!(self, StreamRunStatus::Completed | StreamRunStatus::Skipped | StreamRunStatus::Errored)
    }
}

/// How a run stands as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Something is left to do.
    #[default]
    Started,
    /// Everything was done.
    Succeeded,
    /// Something failed.
    Failed,
}

/// One stream of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamProgress {
    /// How it stands.
    pub status: StreamRunStatus,
    /// States that came out of the destination.
    pub state_count: u64,
    /// Records that came out of the destination.
    pub record_count: u64,
    /// Why it was skipped or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The range of `created` that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_range: Option<Range>,
    /// Its parts that are done: sorted, disjoint, not touching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_ranges: Option<Vec<Range>>,
}

/// What follows from the rest of the progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DerivedProgress {
    /// How the run stands.
    pub status: RunStatus,
    /// Records over elapsed seconds; 0 when nothing elapsed.
    pub records_per_second: f64,
    /// States, global ones included, over elapsed seconds.
    pub states_per_second: f64,
    /// Records of all streams.
    pub total_record_count: u64,
    /// States of all streams and global ones.
    pub total_state_count: u64,
}

/// The payload of a `progress` message: all of it each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressPayload {
    /// When the run began.
    pub started_at: Timestamp,
    /// Milliseconds since then.
    pub elapsed_ms: u64,
    /// Global states seen.
    pub global_state_count: u64,
    /// The last thing said about the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_status: Option<ConnectionStatus>,
    /// What follows from the rest.
    pub derived: DerivedProgress,
    /// By stream name.
    pub streams: BTreeMap<String, StreamProgress>,
}

impl ProgressPayload {
    /// Nothing done, since the Unix epoch, over no streams.
    pub fn empty() -> ProgressPayload {
        ProgressPayload::fresh(Timestamp::UNIX_EPOCH, std::iter::empty())
    }

    /// Nothing done yet on these streams.
    pub fn fresh(started_at: Timestamp, streams: impl Iterator<Item = String>) -> ProgressPayload {
        ProgressPayload {
            started_at,
            elapsed_ms: 0,
            global_state_count: 0,
            connection_status: None,
            derived: DerivedProgress::default(),
            streams: streams.map(|name| (name, StreamProgress::default())).collect(),
        }
    }
}

/// The payload of an `eof` message that ends a sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EofPayload {
    /// How the run stands.
    pub status: RunStatus,
    /// Whether the request was cut before the source ended.
    pub has_more: bool,
    /// To be sent back to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_state: Option<SyncState>,
    /// The whole run.
    pub run_progress: ProgressPayload,
    /// This request alone.
    pub request_progress: ProgressPayload,
}

/// The payload of any `eof` message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Eof {
    /// The end of a sync.
    Sync(Box<EofPayload>),
    /// The end of a read, which only says whether it was cut.
    Read {
        /// Whether the request was cut before the source ended.
        has_more: bool,
    },
}

impl<'de> Deserialize<'de> for Eof {
    /// By hand: serde's own reading of untagged variants cannot hold raw JSON, which the state has.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Eof, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            status: Option<RunStatus>,
            has_more: bool,
            ending_state: Option<SyncState>,
            run_progress: Option<ProgressPayload>,
            request_progress: Option<ProgressPayload>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let Some(status) = wire.status else {
            return Ok(Eof::Read { has_more: wire.has_more });
        };
        Ok(Eof::Sync(Box::new(EofPayload {
            status,
            has_more: wire.has_more,
            ending_state: wire.ending_state,
            run_progress: wire.run_progress.ok_or_else(|| D::Error::missing_field("run_progress"))?,
            request_progress: wire
                .request_progress
                .ok_or_else(|| D::Error::missing_field("request_progress"))?,
        })))
    }
}
