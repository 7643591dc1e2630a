//! The steps that carry a pipeline on. Both orchestrators call them; they differ in when.
//!
//! A step takes the pipeline's lease, does one thing for a limited time, saves how far it came while it goes on, and gives the
//! lease back. What it could not do it writes into the pipeline's standing, with the time to try again.

mod backoff;
mod connections;
mod delivering;
mod failure;
mod following;
mod held;
mod journal;
mod manual;
mod position;
mod stages;
mod syncing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{CatalogMessage, LogLevel};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use failure::StepFailure;
pub(crate) use following::listens;
pub use manual::{Connections, ManualSync, Start};

use crate::engines::Engines;
use crate::guard::Guard;
use crate::standing::{Problem, Stage, Standing};
use crate::store::{Record, Store};
use backoff::retry_after;
use held::Held;
use journal::Journal;

/// Hears how many records a step has synced so far.
pub type Beat = Arc<dyn Fn(u64) + Send + Sync>;

/// What bounds a step.
#[derive(Clone)]
pub struct Bounds {
    /// For how long it reads; `None` until it is done.
    pub limit: Option<Duration>,
    /// Stops it at the next safe point.
    pub stop: CancellationToken,
    /// Hears of its progress.
    pub beat: Beat,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { limit: None, stop: CancellationToken::new(), beat: Arc::new(|_| {}) }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Whether it was stopped before it was done.
    pub has_more: bool,
    /// Records that reached the destination.
    pub records: u64,
}

/// Catalogs by pipeline, each with the version of the configuration that it is of.
type Catalogs = HashMap<String, (i64, Arc<CatalogMessage>)>;

/// Carries pipelines on. Cloning shares what it knows.
#[derive(Clone)]
pub struct Steps {
    pub(crate) store: Store,
    pub(crate) engines: Engines,
    /// What pipelines may name.
    guard: Guard,
    /// The name under which this process holds leases.
    holder: Arc<str>,
    /// What sources offer.
    catalogs: Arc<Mutex<Catalogs>>,
}

/// A pipeline that is being worked on.
struct Work<'a> {
    steps: &'a Steps,
    held: &'a Held,
    record: Record,
    standing: Standing,
    journal: Journal,
    bounds: &'a Bounds,
}

impl Steps {
    /// Steps that keep what they do in `store`, and let `engines` do it.
    pub fn new(store: Store, engines: Engines) -> Steps {
        let holder = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4());
        let guard = Guard { any_address: true, ..Guard::default() };
        Steps { store, engines, guard, holder: holder.into(), catalogs: Arc::default() }
    }

    /// The same, refusing pipelines that name what they may not: what a name leads to may have changed since it was checked.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Steps {
        Steps { guard, ..self }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who does the work.
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Does `stage` of the pipeline of this id. A failure of the work itself is in the pipeline's standing when this answers it.
    pub async fn run(&self, id: &str, stage: Stage, bounds: &Bounds) -> Result<StepReport, StepFailure> {
        let stop = bounds.stop.child_token();
        let held = self.hold(id, stage, &stop).await?;
        let bounds = Bounds { stop, ..bounds.clone() };
        let done = self.work(id, stage, &held, &bounds).await;
        held.release().await;
        done
    }

    /// Takes the lease of a pipeline; `stop` is cancelled when somebody asks for it.
    async fn hold(&self, id: &str, stage: Stage, stop: &CancellationToken) -> Result<Held, StepFailure> {
        let asking = stage == Stage::Manual;
        match self.store.lease(id, &self.holder, stage, asking).await? {
            Some(lease) => Ok(Held::keep(self.store.clone(), lease, stop.clone())),
            None if self.store.get(id).await?.is_none() => Err(StepFailure::Gone),
            None => Err(StepFailure::Busy),
        }
    }

    async fn work(
        &self,
        id: &str,
        stage: Stage,
        held: &Held,
        bounds: &Bounds,
    ) -> Result<StepReport, StepFailure> {
        let record = self.store.get(id).await?.ok_or(StepFailure::Gone)?;
        let checked = self.checked(&record, stage).await;
        let run_id = record.standing.run_id.clone().filter(|_| stage == Stage::Backfill);
        let standing = record.standing.clone();
        let journal = Journal::new(id, run_id.as_deref());
        let span = journal.log.span();
        let mut work = Work { steps: self, held, record, standing, journal, bounds };
        let done = async {
            tokio::select! {
                biased;
                () = held.lost.cancelled() => Err(StepFailure::Lost),
                done = async {
                    checked?;
                    work.stage(stage).await
                } => done,
            }
        };
        let done = done.instrument(span).await;
        let concluded = work.conclude(stage, &done).await;
        work.journal.flush(&self.store).await;
        match (done, concluded) {
            (Ok(_), Err(error)) => Err(error),
            (done, _) => done,
        }
    }

    /// Whether the pipeline names only what it may. What was made is removed in any case.
    async fn checked(&self, record: &Record, stage: Stage) -> Result<(), StepFailure> {
        if stage == Stage::Teardown {
            return Ok(());
        }
        for connector in [&record.pipeline.source, &record.pipeline.destination] {
            self.guard
                .check(connector)
                .await
                .map_err(|refused| StepFailure::Failed { message: refused.message, lasting: true })?;
        }
        Ok(())
    }

    /// What the source of the pipeline offers; asked for once for each version of its configuration.
    async fn discovered(&self, record: &Record) -> Result<Arc<CatalogMessage>, StepFailure> {
        let id = &record.pipeline.id;
        let known = self.catalogs.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((version, catalog)) = known
            && version == record.config_version
        {
            return Ok(catalog);
        }
        let catalog = self.engines.discover(&record.pipeline.source).await?;
        let mut catalogs = self.catalogs.lock().unwrap_or_else(PoisonError::into_inner);
        catalogs.insert(id.clone(), (record.config_version, Arc::clone(&catalog)));
        Ok(catalog)
    }

    /// Forgets what is only known of pipelines that are gone.
    pub fn keep_only(&self, alive: impl Fn(&str) -> bool) {
        self.catalogs.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| alive(id));
    }
}

impl Work<'_> {
    /// Writes how the stage ended into the standing.
    async fn conclude(
        &mut self,
        stage: Stage,
        done: &Result<StepReport, StepFailure>,
    ) -> Result<(), StepFailure> {
        let store = &self.steps.store;
        let failed = match done {
            Ok(_) if stage == Stage::Teardown => return Ok(()),
            Ok(_) => None,
            Err(StepFailure::Failed { message, lasting }) => Some((message.clone(), *lasting)),
            // Nothing can be written, or by somebody else only.
            Err(_) => return Ok(()),
        };
        let now = store.now().await?;
        let before = self.standing.problem.take();
        let same = before.as_ref().filter(|problem| problem.stage == stage);
        self.standing.problem = match failed {
            Some((message, lasting)) => {
                let attempts = same.map_or(0, |problem| problem.attempts) + 1;
                let wait = retry_after(attempts, lasting, rand::random());
                self.journal.say(LogLevel::Error, format!("{}: {message}", stage.as_str()));
                Some(Problem {
                    stage,
                    message,
                    lasting,
                    attempts,
                    since: same.map_or(now, |problem| problem.since),
                    at: now,
                    retry_at: now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
                })
            }
            // What else fails, still fails.
            None if same.is_none() => before,
            None => {
                self.journal.say(LogLevel::Info, format!("{} works again", stage.as_str()));
                None
            }
        };
        if done.is_ok() {
            self.standing.succeeded_at = Some(now);
        }
        store.save(&self.held.lease, &self.standing, None).await?;
        Ok(())
    }
}
