//! A sync whose position is saved while it goes on.

use std::sync::Arc;
use std::time::Duration;

use engine::{PipelineSync, RunLedger, TimeLimits, initial_state};
use futures::StreamExt;
use protocol::{
    CatalogMessage, ConnectionState, Eof, EofPayload, InputStream, Message, Payload, PipelineConfig,
    RunStatus, SyncState, Timestamp,
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
    /// Whether the position's run is this one, so that the pipeline's progress is this one's.
    pub(super) is_run: bool,
}

impl Work<'_> {
    /// Syncs, and saves the position whenever rows before it are durable. Answers how it ended; one whose connection failed is
    /// a failure, failed streams are not.
    pub(super) async fn sync(&mut self, asked: Asked) -> Result<EofPayload, StepFailure> {
        let discovered = self.steps.discovered(&self.record).await?;
        let stored = self.record.state.take();
        // What is applied by itself leaves the position as it is.
        let (before, sync_id) = match asked.input {
            Some(_) => (stored, None),
            None => {
                let name = self.position_name().await?;
                (self.newest_position(&name, &asked.pipeline.destination, stored).await?, Some(name))
            }
        };
        let mut position = Position::begin(before.clone(), &asked, &discovered)?;
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
        if position.is_run {
            self.standing.progress = Some(state.sync_run.progress.clone());
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
    kept_run: Option<protocol::SyncRunState>,
    is_run: bool,
    changed: bool,
}

impl Position {
    pub(super) fn begin(
        before: Option<SyncState>,
        asked: &Asked,
        discovered: &Arc<CatalogMessage>,
    ) -> Result<Position, StepFailure> {
        let selections = asked.pipeline.streams.as_deref().unwrap_or_default();
        let catalogs = engine::configure(discovered, selections)?;
        let kept_run = before.as_ref().map(|state| state.sync_run.clone()).filter(|_| !asked.is_run);
        let now = Timestamp::now();
        let state = initial_state(before, asked.run_id.as_deref(), catalogs.names(), now);
        let ledger = RunLedger::begin(state, catalogs.names(), now);
        Ok(Position { ledger, kept_run, is_run: asked.is_run, changed: false })
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
    }

    fn state(&self) -> SyncState {
        let state = self.ledger.state();
        match &self.kept_run {
            Some(run) => SyncState { sync_run: run.clone(), ..state },
            None => state,
        }
    }
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
