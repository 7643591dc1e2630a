//! What the workflows are started with, and carry along when they continue as new.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::trouble::Troubles;
use crate::standing::Stage;

/// Options of `pipelineWorkflow`. Keys of upstream that are not here (`syncState`, `inputQueue`) are in the store, and ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineOptions {
    /// The workflow continues as new after so many steps and children: 1,000, as upstream.
    pub operations_limit: u32,
    /// A backfill continues as new after so many steps: 200, as upstream.
    pub steps_limit: u32,
    /// A step of a backfill lasts so long at most, in milliseconds: 5 minutes, as upstream.
    pub chunk_ms: u64,
    /// A step of a comparison, and of following events, lasts so long at most, in milliseconds: deliveries wait for it.
    pub live_chunk_ms: u64,
    /// Events are followed so often, in milliseconds. With webhooks this only fills gaps.
    pub follow_ms: u64,
    /// The store is asked so often for what nobody signalled, in milliseconds.
    pub look_ms: u64,
    /// What fails in passing is tried again after so long, in milliseconds; twice as long each time, up to `lasting_ms`.
    pub passing_ms: u64,
    /// What fails until somebody changes something is tried again so often, in milliseconds.
    pub lasting_ms: u64,
    /// How the steps are retried before they count as failed.
    pub retry: Retry,
    /// What it carries along.
    pub state: Carried,
}

impl Default for PipelineOptions {
    fn default() -> PipelineOptions {
        PipelineOptions {
            operations_limit: 1_000,
            steps_limit: 200,
            chunk_ms: 300_000,
            live_chunk_ms: 60_000,
            follow_ms: 60_000,
            look_ms: 3_600_000,
            passing_ms: 60_000,
            lasting_ms: 3_600_000,
            retry: Retry::default(),
            state: Carried::default(),
        }
    }
}

/// How an activity is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retry {
    /// After how long first, in milliseconds; twice as long each time.
    pub first_ms: u64,
    /// After how long at most, in milliseconds.
    pub longest_ms: u64,
    /// How often it is tried.
    pub attempts: u32,
    /// A worker that has not been heard of for so long, in milliseconds, is taken for dead.
    pub heartbeat_ms: u64,
}

impl Default for Retry {
    /// As upstream: 1 s, at most 5 minutes, 10 attempts. Upstream waits two minutes for a heartbeat; a step of ours tells every
    /// 5 s that it lives, so one that is silent for 30 s goes on elsewhere.
    fn default() -> Retry {
        Retry { first_ms: 1_000, longest_ms: 300_000, attempts: 10, heartbeat_ms: 30_000 }
    }
}

/// What `pipelineWorkflow` knows beyond the store. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Carried {
    /// The first run of the workflow: its steps are known by it, however often it continues as new.
    pub run_id: Option<String>,
    /// The run of the backfill or comparison that is not over.
    pub backfill_run_id: Option<String>,
    /// How many backfills and comparisons are over.
    pub backfill_count: u64,
    /// How many operations there were, over all runs of the workflow.
    pub operations: u64,
    /// When events were last followed to their end.
    pub followed_at: u64,
    /// The streams that stand failed; they are tried again whenever events are followed.
    pub failed_streams: Vec<String>,
    /// What failed, and when it is tried again.
    pub troubles: Troubles,
    /// It is being torn down, which nothing calls back.
    pub teardown: bool,
}

/// Options of `pipelineBackfill`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackfillOptions {
    /// [`Stage::Backfill`] or [`Stage::Reconcile`].
    pub stage: Stage,
    /// The run: the same over all attempts and continuations. By default the workflow's first run.
    pub run_id: Option<String>,
    /// It continues as new after so many steps.
    pub steps_limit: u32,
    /// A step lasts so long at most, in milliseconds.
    pub chunk_ms: u64,
    /// Events are followed so often between the steps, in milliseconds.
    pub follow_ms: u64,
    /// When events were last followed to their end, in milliseconds since 1970.
    pub followed_at: u64,
    /// How the steps are retried.
    pub retry: Retry,
    /// How many records were moved in the runs before.
    pub records: u64,
    /// How many steps were made in the runs before.
    pub steps: u64,
}

impl Default for BackfillOptions {
    fn default() -> BackfillOptions {
        let pipeline = PipelineOptions::default();
        BackfillOptions {
            stage: Stage::Backfill,
            run_id: None,
            steps_limit: pipeline.steps_limit,
            chunk_ms: pipeline.chunk_ms,
            follow_ms: pipeline.follow_ms,
            followed_at: 0,
            retry: pipeline.retry,
            records: 0,
            steps: 0,
        }
    }
}

/// What `pipelineSync` is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncOptions {
    /// What to do: [`Stage::Backfill`], unless something else is asked for.
    #[serde(default = "backfill")]
    pub stage: Stage,
    /// For how long at most, in seconds; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<f64>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

fn backfill() -> Stage {
    Stage::Backfill
}

impl Default for SyncOptions {
    fn default() -> SyncOptions {
        SyncOptions { stage: backfill(), time_limit: None, run_id: None }
    }
}

impl SyncOptions {
    /// A step of `stage` that lasts `limit_ms` milliseconds at most.
    pub(super) fn new(stage: Stage, limit_ms: u64, run_id: Option<String>) -> SyncOptions {
        let limit = Duration::from_millis(limit_ms);
        SyncOptions { stage, time_limit: Some(limit.as_secs_f64()), run_id }
    }

    /// The limit as a duration; a number that is none counts as no limit.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.time_limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}
