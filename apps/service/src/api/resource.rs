//! A pipeline, as clients see it.

use std::collections::BTreeMap;

use engine::Role;
use protocol::{
    ConnectorConfig, ProgressPayload, StreamRunStatus, StreamSelection, SyncState, Timestamp, Transforms,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::pipeline::DesiredStatus;
use crate::service::Service;
use crate::standing::{Stage, Status};
use crate::store::Record;

/// A pipeline.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Pipeline")]
pub(crate) struct Resource {
    /// Its id.
    id: String,
    /// Words of the user for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Where it reads. Secrets are shown as `[set sha256:…]`; sent back so, they stay as they are.
    source: ConnectorConfig,
    /// Where it writes; secrets as in `source`.
    destination: ConnectorConfig,
    /// Which streams; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<Vec<StreamSelection>>,
    /// What happens to records before they are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    transforms: Option<Transforms>,
    /// What the user wants of it.
    desired_status: DesiredStatus,
    /// Where it stands.
    status: Status,
    /// Grows with each change; the `ETag` says it, too.
    version: i64,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
    /// What is being done for it right now.
    #[serde(skip_serializing_if = "Option::is_none")]
    working: Option<Stage>,
    /// Why it does not get on.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ResourceError>,
    /// Streams that failed when they were last read, or when something delivered was applied, and why. The others go on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    failed_streams: BTreeMap<String, String>,
    /// How far the backfill is, or how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ResourceProgress>,
    /// When something was last done for it with success.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<Timestamp>,
    /// When the copy was last compared with its source as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reconciled_at: Option<Timestamp>,
    /// How many rows that comparison repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reconciled_repairs: Option<u64>,
    /// For how many seconds changes may not be in the copy yet: since events were last read to their end, or since the
    /// oldest delivery that waits. Absent before the backfill is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_seconds: Option<u64>,
    /// Webhooks that are stored and not applied yet.
    waiting_deliveries: u64,
    /// Where Stripe's webhooks for it are taken.
    webhook_path: String,
    /// Where its sync goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_state: Option<SyncState>,
}

/// Why a pipeline does not get on.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResourceError {
    /// What was being done.
    stage: Stage,
    /// What went wrong, and what to do.
    message: String,
    /// Whether it lasts until somebody changes something.
    lasting: bool,
    /// How often it was tried in vain.
    attempts: u32,
    /// Since when.
    since: Timestamp,
    /// When it was last tried.
    at: Timestamp,
    /// When it is tried again by itself. `POST /pipelines/{id}/retry` tries at once.
    retry_at: Timestamp,
}

/// How far a run is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResourceProgress {
    /// Records that are durable.
    records: u64,
    /// Records over elapsed seconds.
    records_per_second: f64,
    /// Streams of the run.
    streams: usize,
    /// Those that are over: complete, or not readable with this account.
    streams_done: usize,
    /// Those that failed.
    streams_failed: usize,
    /// When the run began.
    started_at: Timestamp,
    /// Milliseconds that it took so far.
    elapsed_ms: u64,
}

impl ResourceProgress {
    fn of(progress: &ProgressPayload) -> ResourceProgress {
        let with = |wanted: &[StreamRunStatus]| {
            progress.streams.values().filter(|stream| wanted.contains(&stream.status)).count()
        };
        ResourceProgress {
            records: progress.derived.total_record_count,
            records_per_second: progress.derived.records_per_second,
            streams: progress.streams.len(),
            streams_done: with(&[StreamRunStatus::Completed, StreamRunStatus::Skipped]),
            streams_failed: with(&[StreamRunStatus::Errored]),
            started_at: progress.started_at,
            elapsed_ms: progress.elapsed_ms,
        }
    }
}

impl Resource {
    /// What clients see of `record` at `now` (milliseconds since 1970).
    pub(crate) fn of(record: Record, now: i64, service: &Service) -> Resource {
        let status = record.status();
        let at = Timestamp::from_unix_millis;
        let Record { pipeline, standing, .. } = record;
        let mut failed_streams: BTreeMap<String, String> =
            standing.failed_streams().map(|(name, why)| (name.to_owned(), why.to_owned())).collect();
        for (name, held) in &standing.deferred {
            failed_streams.entry(name.clone()).or_insert_with(|| held.message.clone());
        }
        let current = if standing.backfilled { standing.followed_at } else { None };
        let behind = [current, record.waiting_since].into_iter().flatten().min();
        let lag = behind.filter(|_| current.is_some()).map(|since| now.saturating_sub(since).max(0) / 1000);
        let error = standing.problem.as_ref().map(|problem| ResourceError {
            stage: problem.stage,
            message: problem.message.clone(),
            lasting: problem.lasting,
            attempts: problem.attempts,
            since: at(problem.since),
            at: at(problem.at),
            retry_at: at(problem.retry_at),
        });
        Resource {
            source: service.shown(Role::Source, &pipeline.source),
            destination: service.shown(Role::Destination, &pipeline.destination),
            transforms: pipeline.transforms.map(without_key),
            webhook_path: format!("/webhooks/{}", pipeline.id),
            id: pipeline.id,
            name: pipeline.name,
            streams: pipeline.streams,
            desired_status: pipeline.desired_status,
            status,
            version: record.version,
            created_at: at(record.created_at),
            updated_at: at(record.updated_at),
            working: record.working,
            error,
            failed_streams,
            progress: standing.progress.as_ref().map(ResourceProgress::of),
            last_success_at: standing.succeeded_at.map(at),
            last_reconciled_at: standing.reconciled_at.map(at),
            last_reconciled_repairs: standing.repaired,
            lag_seconds: lag.and_then(|lag| u64::try_from(lag).ok()),
            waiting_deliveries: record.waiting,
            sync_state: record.state,
        }
    }

    /// Its version.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }
}

/// Stands for the key of digests, which is not shown; sent back so, it stays as it is.
pub(crate) const KEY_IS_SET: &str = "[set]";

fn without_key(transforms: Transforms) -> Transforms {
    let hash_key = transforms.hash_key.as_ref().map(|_| KEY_IS_SET.to_owned());
    Transforms { hash_key, ..transforms }
}
