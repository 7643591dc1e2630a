//! The activities: each runs one step, and tells the server that it lives.

#![allow(
    unreachable_pub,
    reason = "the macro makes constants of its own, which must not be more private than the activities"
)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::options::SyncOptions;
use super::outcome::failure;
use super::steps::{Beat, Snapshot, StepReport, Steps};
use crate::standing::{Stage, Status};

/// The activities of a worker.
pub struct Activities {
    steps: Arc<dyn Steps>,
    heartbeat: Duration,
}

/// What a heartbeat tells.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Heartbeat {
    records: u64,
}

impl Activities {
    /// Activities that run `steps` and tell that they live every `heartbeat`.
    pub(super) fn new(steps: Arc<dyn Steps>, heartbeat: Duration) -> Activities {
        Activities { steps, heartbeat }
    }

    /// A step, with heartbeats. A cancelled one ends early and still reports what it did: it has saved it, and has given the
    /// lease back.
    async fn step(
        &self,
        context: &ActivityContext,
        id: &str,
        stage: Stage,
        options: &SyncOptions,
    ) -> Result<StepReport, ActivityError> {
        let records = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&records);
        let beat: Beat = Arc::new(move |so_far| counted.store(so_far, Ordering::Relaxed));
        let stop = CancellationToken::new();
        let run_id = options.run_id.as_deref();
        let mut run = pin!(self.steps.run(id, stage, run_id, options.limit(), stop.clone(), beat));
        let mut ticks = tokio::time::interval(self.heartbeat);
        loop {
            tokio::select! {
                done = &mut run => return done.map_err(|error| failure(error).into()),
                () = context.cancelled(), if !stop.is_cancelled() => stop.cancel(),
                // By the clock, not by records: a step that waits for Stripe's limit lives, too.
                _ = ticks.tick() => {
                    context.record_heartbeat(Heartbeat { records: records.load(Ordering::Relaxed) }).await?;
                }
            }
        }
    }
}

#[activities]
impl Activities {
    /// Sets both sides up; what they say about their configuration is stored.
    #[activity(name = "pipelineSetup")]
    pub async fn setup(
        self: Arc<Self>,
        context: ActivityContext,
        id: String,
    ) -> Result<StepReport, ActivityError> {
        self.step(&context, &id, Stage::Setup, &SyncOptions::default()).await
    }

    /// Removes what was made, then the pipeline.
    #[activity(name = "pipelineTeardown")]
    pub async fn teardown(
        self: Arc<Self>,
        context: ActivityContext,
        id: String,
    ) -> Result<StepReport, ActivityError> {
        self.step(&context, &id, Stage::Teardown, &SyncOptions::default()).await
    }

    /// One step of a backfill, of deliveries, of events or of a comparison.
    #[activity(name = "pipelineSync")]
    pub async fn sync(
        self: Arc<Self>,
        context: ActivityContext,
        call: Call<SyncOptions>,
    ) -> Result<StepReport, ActivityError> {
        self.step(&context, &call.id, call.options.stage, &call.options).await
    }

    /// Says what the workflow is at, and learns what is wanted. The status itself is not stored: it follows from the facts.
    #[activity(name = "updatePipelineStatus")]
    pub async fn update_status(
        self: Arc<Self>,
        _context: ActivityContext,
        call: Call<Option<Status>>,
    ) -> Result<Option<Snapshot>, ActivityError> {
        tracing::debug!(pipeline = call.id, status = ?call.options, "the workflow looks");
        self.steps.standing(&call.id).await.map_err(|error| failure(error).into())
    }
}
