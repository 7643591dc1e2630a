//! What the workflows ask of the rest of the service: one step of a pipeline, and where it stands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::pipeline::DesiredStatus;
use crate::standing::Stage;

/// Told now and then how many records the step has moved so far.
pub type Beat = Arc<dyn Fn(u64) + Send + Sync>;

/// The steps of a pipeline. Everything that lasts is in the store behind them: configuration, state, deliveries.
#[async_trait]
pub trait Steps: Send + Sync + 'static {
    /// Runs one stage of the pipeline `id` for at most `limit`. It holds the pipeline's lease meanwhile and saves its state in
    /// the store as it goes.
    ///
    /// `run_id` is the same for every step of one backfill, however often it is tried. Once `stop` is cancelled it comes to an
    /// end soon and reports what it did; nothing is lost. [`Stage::Follow`] tries streams that failed once more.
    async fn run(
        &self,
        id: &str,
        stage: Stage,
        run_id: Option<&str>,
        limit: Option<Duration>,
        stop: CancellationToken,
        beat: Beat,
    ) -> Result<StepReport, StepFailure>;

    /// What is wanted of the pipeline `id` now, and how far it is; `None` when there is no such pipeline.
    async fn standing(&self, id: &str) -> Result<Option<Snapshot>, StepFailure>;
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Whether the stage has more to do.
    pub has_more: bool,
    /// How many records were moved.
    pub records: u64,
    /// The streams that stand failed after this step; the others are as they should be.
    #[serde(default)]
    pub failed_streams: Vec<String>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StepFailure {
    /// It lasts until somebody changes something; else it passes by itself.
    pub lasting: bool,
    /// Somebody else holds the pipeline's lease.
    pub busy: bool,
    /// There is no such pipeline any more.
    pub gone: bool,
    /// What went wrong, and what to do. It goes into the workflow's history: no secrets.
    pub message: String,
}

/// Where a pipeline stands, as the workflows need to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the user wants of it.
    pub desired: DesiredStatus,
    /// Whether its present configuration is set up.
    pub set_up: bool,
    /// Whether its backfill is over.
    pub backfilled: bool,
    /// How many deliveries wait to be applied.
    pub waiting: u64,
    /// Whether it is time to compare the copy with its source as a whole.
    pub reconcile_due: bool,
    /// How often its events are to be followed, in milliseconds; as often as the workflow was started with when absent.
    #[serde(default)]
    pub follow_ms: Option<u64>,
    /// Why it does not get on, when it does not.
    pub problem: Option<String>,
}
