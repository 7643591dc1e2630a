//! What a client does by hand: the same work, under the same lease, told to the client as it happens.

use std::time::Duration;

use engine::{EngineError, EngineStream, PipelineSync, Setup, Side, TimeLimits};
use futures::StreamExt;
use protocol::{
    ConnectionState, Eof, EofPayload, InputStream, LogLevel, Message, Payload, PipelineConfig, RunStatus,
    SyncState, counted,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::following::ending;
use super::held::Held;
use super::syncing::{Asked, Position, Share};
use super::{Bounds, StepFailure, Steps, Work};
use crate::standing::Stage;
use crate::store::Record;

/// How long a client waits for whoever works on the pipeline to stop at a safe point.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);

/// A sync by hand.
pub struct ManualSync {
    /// The pipeline, with what the client wants otherwise for this time.
    pub pipeline: PipelineConfig,
    /// Where to go on from.
    pub start: Start,
    /// The run that it belongs to.
    pub run_id: Option<String>,
    /// For how long.
    pub time_limit: Option<Duration>,
    /// Events to apply instead of reading.
    pub input: Option<InputStream>,
    /// Whether the position is saved.
    pub keeps_state: bool,
    /// Stops it at the next safe point.
    pub stop: CancellationToken,
}

impl ManualSync {
    /// A sync of this pipeline from where it stands, without a limit, whose position is saved.
    pub fn of(pipeline: PipelineConfig) -> ManualSync {
        ManualSync {
            pipeline,
            start: Start::Kept,
            run_id: None,
            time_limit: None,
            input: None,
            keeps_state: true,
            stop: CancellationToken::new(),
        }
    }
}

/// Where a sync by hand goes on from.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// From where the pipeline stands.
    Kept,
    /// From the position that the client sends.
    Given(Box<SyncState>),
    /// From the beginning.
    Nothing,
}

/// What is done to connections by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// Both sides, or one, are set up.
    SetUp,
    /// What setup made is removed. The pipeline stays, and begins from nothing when it is set up again.
    TearDown,
}

impl Steps {
    /// Syncs by hand. Whoever works on the pipeline is asked to stop first; what is synced is saved as it goes.
    pub fn sync_by_hand(&self, id: &str, asked: ManualSync) -> EngineStream {
        let (steps, id) = (self.clone(), id.to_owned());
        Box::pin(async_stream::try_stream! {
            let stop = asked.stop.child_token();
            let (held, record) = steps.hold_by_hand(&id, &stop).await.map_err(told)?;
            steps.checked(&record, Stage::Manual).await.map_err(told)?;
            let bounds = Bounds { limit: asked.time_limit, stop, ..Bounds::default() };
            let standing = record.standing.clone();
            let journal = super::Journal::new(&id, asked.run_id.as_deref());
            let mut work = Work { steps: &steps, held: &held, record, standing, journal, bounds: &bounds };
            let discovered = steps.discovered(&work.record).await.map_err(told)?;
            let limits = TimeLimits { hard: asked.time_limit, soft: None };
            let pushed = asked.input.is_some();
            let kept = asked.keeps_state && !pushed;
            if kept && asked.start == Start::Nothing {
                // No position of before is to be found under the new name, and what was done is done anew.
                work.standing.position = None;
                work.standing.progress = None;
            }
            let sync_id = if kept { Some(work.position_name().await.map_err(told)?) } else { None };
            let stored = work.record.state.take();
            let goes_on = asked.start == Start::Kept;
            let state = match (asked.start, &sync_id) {
                (Start::Nothing, _) => None,
                (Start::Given(state), _) => Some(*state),
                (Start::Kept, Some(name)) => {
                    work.newest_position(name, &asked.pipeline.destination, stored).await.map_err(told)?
                }
                (Start::Kept, None) => stored,
            };
            let before = work.standing.progress.clone();
            // A run without a name cannot be gone on with: the one of before can, after it.
            let is_run = !pushed && (asked.run_id.is_some() || !goes_on || before.is_none());
            let mut position = Position::begin(
                state.clone(),
                &mut Asked {
                    pipeline: asked.pipeline.clone(),
                    run_id: asked.run_id.clone(),
                    input: None,
                    is_run,
                    share: Share::Part(before),
                },
                &discovered,
            )
            .map_err(told)?;
            let request = PipelineSync {
                state,
                sync_id,
                run_id: asked.run_id,
                input: asked.input,
                limits,
                stop: bounds.stop.clone(),
                discovered: Some(discovered),
                ..PipelineSync::new(ending(asked.pipeline))
            };
            let mut messages = steps.engines.sync(request);
            let mut saved = Instant::now();
            loop {
                let message = tokio::select! {
                    biased;
                    () = held.lost.cancelled() => Err(told(StepFailure::Lost)).map(Some),
                    message = messages.next() => message.transpose(),
                };
                let Some(mut message) = message? else { break };
                if let Payload::Eof(Eof::Sync(eof)) = &mut message.payload
                    && pushed
                {
                    conclude(eof);
                }
                work.observe(&message, &mut position).await.map_err(told)?;
                let ends = matches!(message.payload, Payload::Eof(_));
                if asked.keeps_state && (ends || saved.elapsed() >= super::syncing::CADENCE) {
                    saved = Instant::now();
                    work.save(&mut position).await.map_err(told)?;
                }
                if let Payload::Eof(Eof::Sync(eof)) = &message.payload {
                    let (level, text) = synced(eof);
                    work.journal.say(level, text);
                    work.journal.flush(&steps.store).await;
                }
                yield message;
            }
            drop(messages);
            work.journal.flush(&steps.store).await;
            held.release().await;
        })
    }

    /// Sets up or tears down by hand, and keeps what connectors say of their configurations.
    pub fn connect_by_hand(
        &self,
        id: &str,
        what: Connections,
        side: Side,
        stop: CancellationToken,
    ) -> EngineStream {
        let (steps, id) = (self.clone(), id.to_owned());
        Box::pin(async_stream::try_stream! {
            let stop = stop.child_token();
            let (held, record) = steps.hold_by_hand(&id, &stop).await.map_err(told)?;
            if what == Connections::SetUp {
                steps.checked(&record, Stage::Setup).await.map_err(told)?;
            }
            let bounds = Bounds { stop, ..Bounds::default() };
            let standing = record.standing.clone();
            let journal = super::Journal::new(&id, None);
            let mut work = Work { steps: &steps, held: &held, record, standing, journal, bounds: &bounds };
            let pipeline = work.record.pipeline.config();
            let mut messages = match what {
                Connections::SetUp => {
                    let discovered = Some(steps.discovered(&work.record).await.map_err(told)?);
                    steps.engines.set_up(Setup { pipeline, side, discovered })
                }
                Connections::TearDown => steps.engines.tear_down(pipeline, side)?,
            };
            let mut works = true;
            while let Some(message) = messages.next().await {
                let message: Message = message?;
                match &message.payload {
                    Payload::Control(control) => work.adopt(control).await.map_err(told)?,
                    Payload::ConnectionStatus(status) => works &= status.status != ConnectionState::Failed,
                    _ => {}
                }
                yield message;
            }
            drop(messages);
            work.journal.say(LogLevel::Info, match what {
                Connections::SetUp => "Set up by hand",
                Connections::TearDown => "Torn down by hand",
            });
            work.journal.flush(&steps.store).await;
            match (what, side) {
                (Connections::SetUp, _) if !works => {}
                (Connections::SetUp, Side::Both) if work.standing.set_up != Some(work.record.config_version) => {
                    work.standing.is_set_up(work.record.config_version);
                    steps.store.save(&held.lease, &work.standing, None).await.map_err(told)?;
                }
                // Without tables no position holds.
                (Connections::TearDown, Side::Both | Side::Only(engine::Role::Destination)) => {
                    let begun = steps.store.begin_anew(&held.lease).await;
                    begun.map_err(told)?;
                }
                _ => {}
            }
            held.release().await;
        })
    }

    /// Takes the lease for a client: whoever has it is asked to stop. Answers what the pipeline is then, as it may have changed
    /// until it stopped.
    async fn hold_by_hand(&self, id: &str, stop: &CancellationToken) -> Result<(Held, Record), StepFailure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let changing = self.store.changing(LOOK);
            match self.hold(id, Stage::Manual, stop).await {
                Err(StepFailure::Busy) if Instant::now() < deadline => self.store.ask_for(id).await?,
                held => return Ok((held?, self.store.get(id).await?.ok_or(StepFailure::Gone)?)),
            }
            changing.await;
        }
    }
}

/// Says that what was pushed is done with, where nothing failed and nothing is left: no stream is complete by it, so that to the
/// engine its run is not over.
fn conclude(eof: &mut EofPayload) {
    if eof.status == RunStatus::Started && !eof.has_more {
        eof.status = RunStatus::Succeeded;
        eof.run_progress.derived.status = RunStatus::Succeeded;
        eof.request_progress.derived.status = RunStatus::Succeeded;
    }
}

/// How a sync by hand ended, for the log of the pipeline.
fn synced(eof: &EofPayload) -> (LogLevel, String) {
    let records = eof.request_progress.derived.total_record_count;
    let records = counted(records, "record");
    match (eof.status, eof.has_more) {
        (RunStatus::Failed, _) => (LogLevel::Warn, format!("Synced by hand, not all of it: {records}")),
        (_, true) => (LogLevel::Info, format!("Synced by hand: {records}, and there are more")),
        (_, false) => (LogLevel::Info, format!("Synced by hand: {records}")),
    }
}

/// The failure as the engine's own, for an answer that streams.
fn told(failure: impl Into<StepFailure>) -> EngineError {
    EngineError::Request(failure.into().to_string())
}
