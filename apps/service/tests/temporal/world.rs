//! Pipelines in memory: what the steps would find in the store, and what they did.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use service::pipeline::DesiredStatus;
use service::standing::Stage;
use service::temporal::{
    Beat, Client, PipelineOptions, Retry, Snapshot, StepFailure, StepReport, Steps, WorkerOptions, run,
};
use tokio_util::sync::CancellationToken;

/// One pipeline.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) desired: DesiredStatus,
    pub(crate) gone: bool,
    pub(crate) set_up: bool,
    pub(crate) backfilled: bool,
    pub(crate) waiting: u64,
    pub(crate) reconcile_due: bool,
    /// How many steps the backfill, and each comparison, still needs.
    pub(crate) chunks: u32,
    /// Backfill steps last until they are stopped.
    pub(crate) hold: bool,
    /// Deliveries stay where they are, although no step fails.
    pub(crate) futile: bool,
    /// The next steps fail so.
    pub(crate) failures: VecDeque<(Stage, StepFailure)>,
    /// The next backfills end with these streams failed.
    pub(crate) failed_streams: VecDeque<String>,
    /// The steps that were made, with their runs.
    pub(crate) steps: Vec<(Stage, Option<String>)>,
    pub(crate) applied: u64,
    /// Steps under way, and whether two ever were.
    pub(crate) working: u32,
    pub(crate) overlapped: bool,
}

/// The pipeline of one test.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Facts>>);

impl World {
    /// A pipeline whose backfill takes so many steps.
    pub(crate) fn new(chunks: u32) -> World {
        let world = World::default();
        world.facts().chunks = chunks;
        world
    }

    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().expect("no test panicked while it looked")
    }

    /// How often a stage was run.
    pub(crate) fn count(&self, stage: Stage) -> usize {
        self.facts().steps.iter().filter(|(at, _)| *at == stage).count()
    }

    /// Waits until something is true of it.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Facts) -> bool) {
        for _ in 0..3_000 {
            if holds(&self.facts()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came to this: {what}; {:?}", self.facts());
    }
}

#[async_trait]
impl Steps for World {
    async fn run(
        &self,
        _id: &str,
        stage: Stage,
        run_id: Option<&str>,
        _limit: Option<Duration>,
        stop: CancellationToken,
        beat: Beat,
    ) -> Result<StepReport, StepFailure> {
        let hold = {
            let mut facts = self.facts();
            facts.steps.push((stage, run_id.map(str::to_owned)));
            facts.working += 1;
            facts.overlapped |= facts.working > 1;
            facts.hold && stage == Stage::Backfill
        };
        beat(1);
        if hold {
            stop.cancelled().await;
        }
        tokio::task::yield_now().await;
        let mut facts = self.facts();
        facts.working -= 1;
        if facts.failures.front().is_some_and(|(at, _)| *at == stage)
            && let Some((_, failure)) = facts.failures.pop_front()
        {
            return Err(failure);
        }
        let mut report = StepReport { has_more: hold, records: 1, failed_streams: Vec::new() };
        match stage {
            Stage::Setup => facts.set_up = true,
            Stage::Backfill | Stage::Reconcile if !hold => {
                facts.chunks = facts.chunks.saturating_sub(1);
                report.has_more = facts.chunks > 0;
                if !report.has_more {
                    facts.backfilled = true;
                    facts.reconcile_due = false;
                    report.failed_streams.extend(facts.failed_streams.pop_front());
                }
            }
            Stage::Deliver if facts.futile => report.records = 0,
            Stage::Deliver => facts.applied += std::mem::take(&mut facts.waiting),
            Stage::Teardown => facts.gone = true,
            _ => {}
        }
        Ok(report)
    }

    async fn standing(&self, _id: &str) -> Result<Option<Snapshot>, StepFailure> {
        let facts = self.facts();
        Ok((!facts.gone).then(|| Snapshot {
            desired: facts.desired,
            set_up: facts.set_up,
            backfilled: facts.backfilled,
            waiting: facts.waiting,
            reconcile_due: facts.reconcile_due,
            follow_ms: None,
            problem: None,
        }))
    }
}

/// A worker in this process.
pub(crate) struct Worker {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Starts one.
    pub(crate) fn start(client: &Client, steps: impl Steps) -> Worker {
        let stop = CancellationToken::new();
        let (client, stopping) = (client.clone(), stop.clone());
        let beat = Duration::from_millis(100);
        let options = WorkerOptions { heartbeat: beat, grace: beat, ..WorkerOptions::default() };
        let task = tokio::spawn(async move {
            run(&client, Arc::new(steps), options, stopping).await.expect("the worker works");
        });
        Worker { stop, task }
    }

    /// Stops it, and waits for it.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the worker ends");
    }
}

/// Options that wait for nothing that the test does not want to see.
pub(crate) fn quick() -> PipelineOptions {
    PipelineOptions {
        follow_ms: 3_600_000,
        passing_ms: 100,
        retry: Retry { first_ms: 10, longest_ms: 20, attempts: 2, heartbeat_ms: 1_000 },
        ..PipelineOptions::default()
    }
}

/// A failure that passes, or lasts.
pub(crate) fn failure(lasting: bool) -> StepFailure {
    StepFailure { lasting, busy: false, gone: false, message: "the database is away".to_owned() }
}
