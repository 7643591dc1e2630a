//! The orchestrator of one process: it looks at the store, and does what is due. It remembers nothing that matters: after a kill
//! the next one finds in the store how far everything is. Several processes may run one over the same store; leases keep them apart.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::due::{Due, Pace, deliver_at, due};
use super::slots::{Candidate, Slots};
use crate::pipeline::DesiredStatus;
use crate::standing::Stage;
use crate::steps::{Bounds, StepFailure, Steps};
use crate::store::{Record, StoreError};

/// How often the store is looked at where nobody tells of a change.
const LOOK: Duration = Duration::from_secs(1);

/// After a change was told, others may be told of in the same moment.
const GATHER: Duration = Duration::from_millis(100);

/// The longest time for which a step reads at a stretch.
const CHUNK: Duration = Duration::from_secs(300);

/// How long a pipeline rests whose step ended by a defect.
const DEFECT: Duration = Duration::from_secs(60);

/// How the orchestrator works.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedOptions {
    /// How often things are done that are done again and again.
    pub pace: Pace,
    /// How many pipelines are worked on at once.
    pub at_once: usize,
    /// How long steps may take to end when the process is to stop; then they are cut off.
    pub grace: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> EmbeddedOptions {
        EmbeddedOptions { pace: Pace::default(), at_once: 16, grace: Duration::from_secs(20) }
    }
}

/// The orchestrator.
pub struct Embedded {
    steps: Steps,
    options: EmbeddedOptions,
    slots: Slots,
    tasks: JoinSet<Result<(), StepFailure>>,
    /// Whose each task is.
    doing: HashMap<Id, (String, Stage)>,
}

/// A task that ended, and how.
type Ended = Result<(Id, Result<(), StepFailure>), JoinError>;

impl Embedded {
    /// An orchestrator that does nothing yet.
    pub fn new(steps: Steps, options: EmbeddedOptions) -> Embedded {
        Embedded {
            steps,
            options,
            slots: Slots::new(options.at_once),
            tasks: JoinSet::new(),
            doing: HashMap::new(),
        }
    }

    /// Works until `stop`; then what is under way is stopped at its next safe point, and saved.
    pub async fn run(mut self, stop: CancellationToken) {
        let store = self.steps.store().clone();
        while !stop.is_cancelled() {
            // Registered before the look, so that nothing is told in between.
            let changed = store.notified();
            match self.look(&stop).await {
                Ok(()) => {}
                Err(error) => tracing::warn!(error = %error, "the store cannot be looked at"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = changed => tokio::time::sleep(GATHER).await,
                Some(done) = self.tasks.join_next_with_id() => self.ended(done),
            }
        }
        let _ = tokio::time::timeout(self.options.grace, async {
            while let Some(done) = self.tasks.join_next_with_id().await {
                self.ended(done);
            }
        })
        .await;
        if !self.slots.is_idle() {
            tracing::warn!("steps did not end in time and were cut off; what they saved stays");
        }
    }

    /// Looks at all pipelines, and begins what is due.
    async fn look(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        while let Some(done) = self.tasks.try_join_next_with_id() {
            self.ended(done);
        }
        let store = self.steps.store();
        let (records, now) = (store.all().await?, store.now().await?);
        let known: HashMap<&str, &Record> =
            records.iter().map(|record| (&*record.pipeline.id, record)).collect();
        self.slots.keep_only(|id| known.contains_key(id));
        self.steps.keep_only(|id| known.contains_key(id));
        for record in &records {
            let id = &record.pipeline.id;
            let unwanted = match record.pipeline.desired_status {
                DesiredStatus::Active => {
                    record.standing.set_up.is_some_and(|version| version != record.config_version)
                        && self.slots.stage(id) != Some(Stage::Setup)
                }
                DesiredStatus::Paused => true,
                DesiredStatus::Deleted => self.slots.stage(id) != Some(Stage::Teardown),
            };
            if unwanted {
                self.slots.stop(id);
            }
        }
        let candidates = candidates(&records, now, &self.options.pace, &self.slots);
        let wanted = candidates.len();
        let admitted = self.slots.admit(candidates, Instant::now());
        let waiting =
            |id: &str| known.get(id).is_some_and(|record| deliver_at(record).is_some_and(|at| at <= now));
        self.slots.make_room(wanted > admitted.len(), waiting, Instant::now());
        for candidate in admitted {
            self.begin(candidate, stop);
        }
        Ok(())
    }

    fn begin(&mut self, candidate: Candidate, stop: &CancellationToken) {
        let stop = stop.child_token();
        self.slots.begin(&candidate, stop.clone(), Instant::now());
        let steps = self.steps.clone();
        let Candidate { id, stage } = candidate;
        let task = self.tasks.spawn({
            let id = id.clone();
            async move {
                let bounds = Bounds { limit: Some(CHUNK), stop, ..Bounds::default() };
                steps.run(&id, stage, &bounds).await.map(|_| ())
            }
        });
        self.doing.insert(task.id(), (id, stage));
    }

    fn ended(&mut self, ended: Ended) {
        let task = match &ended {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let Some((id, stage)) = self.doing.remove(&task) else { return };
        let now = Instant::now();
        self.slots.end(&id, now);
        match ended {
            Ok((_, Ok(()))) => {}
            // The pipeline says itself when it is tried again.
            Ok((_, Err(error @ StepFailure::Failed { .. }))) => {
                tracing::warn!(pipeline = id, stage = stage.as_str(), error = %error, "a step failed");
            }
            Ok((_, Err(StepFailure::Gone))) => {}
            Ok((_, Err(error))) => {
                tracing::info!(pipeline = id, stage = stage.as_str(), error = %error, "a step was not done");
                self.slots.rest(&id, now + LOOK);
            }
            Err(error) => {
                tracing::error!(pipeline = id, stage = stage.as_str(), error = %error, "a step ended by a defect");
                self.slots.rest(&id, now + DEFECT);
            }
        }
    }
}

/// The pipelines that something is due of.
fn candidates(records: &[Record], now: i64, pace: &Pace, slots: &Slots) -> Vec<Candidate> {
    let due = |record: &Record| match due(record, now, pace) {
        Due::Now(stage) => Some(Candidate { id: record.pipeline.id.clone(), stage }),
        Due::At(_) | Due::Nothing => None,
    };
    let free = |record: &&Record| record.working.is_none() && !slots.is_running(&record.pipeline.id);
    records.iter().filter(free).filter_map(due).collect()
}
