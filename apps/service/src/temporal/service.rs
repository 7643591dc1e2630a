//! The service's own steps, as the workflows ask for them.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::steps::{Beat, Snapshot, StepFailure, StepReport, Steps};
use crate::orchestrator::{Due, Pace, deliver_at, due, follow_interval};
use crate::standing::Stage;
use crate::steps::{self, Bounds};

/// The steps of the service, with the pace at which copies are compared.
pub struct ServiceSteps {
    steps: steps::Steps,
    pace: Pace,
}

impl ServiceSteps {
    /// These steps.
    pub fn new(steps: steps::Steps, pace: Pace) -> ServiceSteps {
        ServiceSteps { steps, pace }
    }
}

#[async_trait]
impl Steps for ServiceSteps {
    /// The store knows the run of each backfill, so the workflow's is not needed.
    async fn run(
        &self,
        id: &str,
        stage: Stage,
        _run_id: Option<&str>,
        limit: Option<Duration>,
        stop: CancellationToken,
        beat: Beat,
    ) -> Result<StepReport, StepFailure> {
        let bounds = Bounds { limit, stop, beat };
        let report = self.steps.run(id, stage, &bounds).await.map_err(|error| failure(&error))?;
        if stage == Stage::Teardown {
            self.steps.keep_only(|known| known != id);
        }
        let record = self.steps.store().get(id).await.map_err(|error| failure(&error.into()))?;
        // A source that is listened to is never done with.
        let listens = record.as_ref().is_some_and(|record| steps::listens(&record.pipeline.source));
        let failed = record.iter().flat_map(|record| record.standing.failed_streams());
        Ok(StepReport {
            has_more: report.has_more || (listens && stage == Stage::Follow),
            records: report.records,
            failed_streams: failed.map(|(stream, _)| stream.to_owned()).collect(),
        })
    }

    async fn standing(&self, id: &str) -> Result<Option<Snapshot>, StepFailure> {
        let store = self.steps.store();
        let record = store.get(id).await.map_err(|error| failure(&error.into()))?;
        let Some(mut record) = record else { return Ok(None) };
        let now = store.now().await.map_err(|error| failure(&error.into()))?;
        let waiting = if deliver_at(&record).is_some_and(|at| at <= now) { record.waiting } else { 0 };
        // Deliveries and events are the workflow's own to look after.
        record.positioned = false;
        let compared_only = Pace { follow: Duration::MAX, ..self.pace };
        let reconcile_due = due(&record, now, &compared_only) == Due::Now(Stage::Reconcile);
        Ok(Some(Snapshot {
            desired: record.pipeline.desired_status,
            set_up: record.standing.set_up == Some(record.config_version),
            backfilled: record.standing.backfilled,
            waiting,
            reconcile_due,
            follow_ms: u64::try_from(follow_interval(&record, &self.pace).as_millis()).ok(),
            problem: record.standing.problem.map(|problem| problem.message),
        }))
    }
}

fn failure(error: &steps::StepFailure) -> StepFailure {
    let message = error.to_string();
    let plain = StepFailure { lasting: false, busy: false, gone: false, message };
    match error {
        steps::StepFailure::Busy | steps::StepFailure::Lost => StepFailure { busy: true, ..plain },
        steps::StepFailure::Gone => StepFailure { gone: true, ..plain },
        steps::StepFailure::Failed { lasting, .. } => StepFailure { lasting: *lasting, ..plain },
        steps::StepFailure::Store(_) => plain,
    }
}
