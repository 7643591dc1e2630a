//! A sync whose position is saved while it goes on.

use std::sync::Arc;
use std::time::Duration;

use engine::{PipelineSync, Progress, RunLedger, TimeLimits, initial_state};
use futures::StreamExt;
use protocol::{
    CatalogMessage, ConnectionState, Eof, EofPayload, InputStream, Message, Payload, PipelineConfig,
    ProgressPayload, RunStatus, StreamRunStatus, SyncRunState, SyncState, Timestamp,
};
use tokio::time::Instant;

use super::{StepFailure, Work};
use crate::store::StoreError;

/// The least time between two savings of the position, and between two writings of the log.
pub(super) const CADENCE: Duration = Duration::from_secs(1);

/// After a step was to stop reading, so long may the destination write what it has; then it is cut off.
const WRITING: Duration = Duration::from_secs(60);

/// What a step syncs.
pub(super) struct Asked {
    pub(super) pipeline: PipelineConfig,
    pub(super) run_id: Option<String>,
    pub(super) input: Option<InputStream>,
    /// Whether the position's run is this one, and not that of before.
    pub(super) is_run: bool,
    /// What it is to the pipeline's progress.
    pub(super) share: Share,
}

/// What a sync is to the progress of its pipeline.
pub(super) enum Share {
    /// All of it: the progress is that of the sync's run.
    Whole,
    /// A part, which adds to what was done before.
    Part(Option<ProgressPayload>),
    /// None.
    Nothing,
}

impl Work<'_> {
    /// Syncs, and saves the position whenever rows before it are durable. Answers how it ended; one whose connection failed is
    /// a failure, failed streams are not.
    pub(super) async fn sync(&mut self, mut asked: Asked) -> Result<EofPayload, StepFailure> {
        let discovered = self.steps.discovered(&self.record).await?;
        let stored = self.record.state.take();
        // What is applied by itself leaves the position as it is.
        let (mut before, sync_id) = match asked.input {
            Some(_) => (stored, None),
            None => {
                let name = self.position_name().await?;
                (self.newest_position(&name, &asked.pipeline.destination, stored).await?, Some(name))
            }
        };
        if let (Share::Whole, Some(state), Some(done)) = (&asked.share, &mut before, &self.standing.progress)
        {
            // Another run may have come in between, by hand; what it did counts.
            state.sync_run = goes_on(&state.sync_run, asked.run_id.as_deref(), done);
        }
        let mut position = Position::begin(before.clone(), &mut asked, &discovered)?;
        let limit = self.bounds.limit;
        let request = PipelineSync {
            state: before,
            run_id: asked.run_id,
            sync_id,
            input: asked.input,
            limits: TimeLimits { soft: limit, hard: limit.map(|limit| limit + WRITING) },
            stop: self.bounds.stop.clone(),
            discovered: Some(discovered),
            ..PipelineSync::new(asked.pipeline)
        };
        let mut messages = self.steps.engines.sync(request);
        let mut ticks = tokio::time::interval_at(Instant::now() + CADENCE, CADENCE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut end = None;
        let mut failure = None;
        loop {
            let message = tokio::select! {
                biased;
                _ = ticks.tick() => {
                    self.save(&mut position).await?;
                    continue;
                }
                message = messages.next() => message,
            };
            match message {
                None => break,
                Some(Err(error)) => failure = Some(StepFailure::from(error)),
                Some(Ok(message)) => {
                    self.observe(&message, &mut position).await?;
                    if let Payload::Eof(Eof::Sync(eof)) = message.payload {
                        end = Some(*eof);
                    }
                }
            }
        }
        drop(messages);
        self.save(&mut position).await?;
        self.record.state = Some(position.state());
        match (failure, end) {
            (Some(failure), _) => Err(failure),
            (None, None) => Err(StepFailure::Failed {
                message: "the sync ended without saying how".to_owned(),
                lasting: false,
            }),
            (None, Some(eof)) => match connection_failure(&eof) {
                Some(message) => Err(StepFailure::Failed { message, lasting: false }),
                None => Ok(eof),
            },
        }
    }

    pub(super) async fn observe(
        &mut self,
        message: &Message,
        position: &mut Position,
    ) -> Result<(), StepFailure> {
        position.observe(message);
        match &message.payload {
            Payload::Log(log) => self.journal.add(log, message.ts),
            Payload::Control(control) => self.adopt(control).await?,
            Payload::Progress(progress) => (self.bounds.beat)(progress.derived.total_record_count),
            _ => {}
        }
        Ok(())
    }

    /// Saves what changed. A store that cannot be reached for a while is no reason to stop: what was not saved is read again.
    pub(super) async fn save(&mut self, position: &mut Position) -> Result<(), StepFailure> {
        self.journal.flush(&self.steps.store).await;
        if !position.changed {
            return Ok(());
        }
        let state = position.state();
        match &position.share {
            Share::Whole => self.standing.progress = Some(state.sync_run.progress.clone()),
            Share::Part(before) => {
                self.standing.progress = Some(sum(before.as_ref(), &position.begun, position.progress()));
            }
            Share::Nothing => {}
        }
        match self.steps.store.save(&self.held.lease, &self.standing, Some(&state)).await {
            Ok(()) => position.changed = false,
            Err(StoreError::Unmet) => return Err(StepFailure::Lost),
            Err(error) => tracing::warn!(error = %error, "the position of a pipeline cannot be saved yet"),
        }
        Ok(())
    }
}

/// Where a sync stands, as the store is to know it.
pub(super) struct Position {
    ledger: RunLedger,
    /// The run that the stored position tells of, where this sync is not part of it.
    kept_run: Option<SyncRunState>,
    /// How far the run was before this sync.
    begun: ProgressPayload,
    /// How far it is, as the engine tells. Only it knows the records, which do not come here.
    told: Option<ProgressPayload>,
    share: Share,
    changed: bool,
}

impl Position {
    pub(super) fn begin(
        before: Option<SyncState>,
        asked: &mut Asked,
        discovered: &Arc<CatalogMessage>,
    ) -> Result<Position, StepFailure> {
        let share = std::mem::replace(&mut asked.share, Share::Nothing);
        let selections = asked.pipeline.streams.as_deref().unwrap_or_default();
        let catalogs = engine::configure(discovered, selections)?;
        let kept_run = before.as_ref().map(|state| state.sync_run.clone()).filter(|_| !asked.is_run);
        let now = Timestamp::now();
        let state = initial_state(before, asked.run_id.as_deref(), catalogs.names(), now);
        let begun = state.sync_run.progress.clone();
        let ledger = RunLedger::begin(state, catalogs.names(), now);
        Ok(Position { ledger, kept_run, begun, told: None, share, changed: false })
    }

    fn observe(&mut self, message: &Message) {
        self.changed |= matches!(
            message.payload,
            Payload::SourceState(_)
                | Payload::StreamStatus(_)
                | Payload::ConnectionStatus(_)
                | Payload::Eof(_)
        );
        self.ledger.observe(message, message.ts.unwrap_or_else(Timestamp::now));
        match &message.payload {
            Payload::Progress(progress) => self.told = Some((**progress).clone()),
            Payload::Eof(Eof::Sync(eof)) => self.told = Some(eof.run_progress.clone()),
            _ => {}
        }
    }

    /// How far the run is.
    fn progress(&self) -> ProgressPayload {
        self.told.clone().unwrap_or_else(|| self.ledger.run_progress())
    }

    fn state(&self) -> SyncState {
        let mut state = self.ledger.state();
        match &self.kept_run {
            Some(run) => state.sync_run = run.clone(),
            None => state.sync_run.progress = self.progress(),
        }
        state
    }
}

/// The run of this id, which has come so far. `last` is the one that the position tells of.
fn goes_on(last: &SyncRunState, run_id: Option<&str>, done: &ProgressPayload) -> SyncRunState {
    let is_same = last.run_id.as_deref() == run_id;
    SyncRunState {
        run_id: run_id.map(str::to_owned),
        time_ceiling: if is_same { last.time_ceiling } else { Some(Timestamp::now()) },
        progress: done.clone(),
    }
}

/// How far a pipeline is after a part that was synced by hand, whose run was so far when it began and is so far now. Until a stream
/// is complete all that is read of it counts; afterwards it is changes, which tell only how the stream is by now.
fn sum(before: Option<&ProgressPayload>, begun: &ProgressPayload, now: ProgressPayload) -> ProgressPayload {
    let mut sum = match before {
        Some(before) => before.clone(),
        None => ProgressPayload::fresh(now.started_at, std::iter::empty()),
    };
    if before.is_none() || sum.streams.values().any(|stream| !stream.status.is_terminal()) {
        sum.elapsed_ms += now.elapsed_ms.saturating_sub(begun.elapsed_ms);
    }
    for (name, stream) in now.streams {
        let earlier =
            begun.streams.get(&name).map_or((0, 0), |stream| (stream.record_count, stream.state_count));
        let known = sum.streams.entry(name).or_default();
        let counts = !known.status.is_terminal();
        if counts {
            known.record_count += stream.record_count.saturating_sub(earlier.0);
            known.state_count += stream.state_count.saturating_sub(earlier.1);
        }
        if stream.status.is_terminal() || (counts && stream.status == StreamRunStatus::Started) {
            known.status = stream.status;
            known.message = stream.message;
        }
    }
    sum.global_state_count += now.global_state_count.saturating_sub(begun.global_state_count);
    sum.connection_status = now.connection_status.or(sum.connection_status);
    Progress::resume(sum).payload()
}

/// Why the connection failed, if it did.
fn connection_failure(eof: &EofPayload) -> Option<String> {
    let status = eof.request_progress.connection_status.as_ref();
    let failed = status.filter(|status| status.status == ConnectionState::Failed);
    let text = failed.map(|status| status.message.as_deref().unwrap_or("the connection failed").to_owned());
    let text = text.map(|text| logger::redact_text(&text).into_owned());
    // A run that failed for a stream's sake is no failure of the connection.
    text.filter(|_| eof.status == RunStatus::Failed)
}
