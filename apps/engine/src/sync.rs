//! Syncing a source into a destination.

use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    CatalogMessage, Eof, InputStream, Message, MessageStream, Payload, PipelineConfig, ReadRequest,
    SourceStateMessage, SyncState, TRACE, WriteRequest,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cadence::Cadence;
use crate::delivery::Delivery;
use crate::engine::from_destination;
use crate::limits::{Cut, at, hard_limit_reached, stopped_on_request, until_stopped};
use crate::read::from_engine;
use crate::run::{RunLedger, initial_state, with_ceiling, without_terminal};
use crate::traced::traced;
use crate::{Engine, EngineError, EngineStream, Side, TimeLimits};

/// A request to sync a pipeline.
pub struct PipelineSync {
    /// The pipeline.
    pub pipeline: PipelineConfig,
    /// Where to go on from.
    pub state: Option<SyncState>,
    /// How long the request may take. Where only the hard limit is given, the soft one is the share
    /// that the destination's spec names.
    pub limits: TimeLimits,
    /// Requests with the same id are one run.
    pub run_id: Option<String>,
    /// With input, the source processes it and ends, without a backfill.
    pub input: Option<InputStream>,
    /// Stops reading; what was read is still written.
    pub stop: CancellationToken,
    /// Name under which the destination keeps the states beside its data; `None` keeps none.
    pub sync_id: Option<String>,
    /// What the source offers, where that is known already.
    pub discovered: Option<Arc<CatalogMessage>>,
}

impl PipelineSync {
    /// Syncs everything, without limits and without a run.
    pub fn new(pipeline: PipelineConfig) -> PipelineSync {
        PipelineSync {
            pipeline,
            state: None,
            limits: TimeLimits::default(),
            run_id: None,
            input: None,
            stop: CancellationToken::new(),
            sync_id: None,
            discovered: None,
        }
    }
}

/// Where a sync goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// From the state in the request, or from the beginning.
    Given,
    /// From the state that the destination keeps under the request's `sync_id`.
    Stored,
}

/// A sync whose source and destination are connected.
pub(crate) struct Opened {
    pub(crate) output: EngineStream,
    pub(crate) ledger: RunLedger,
    /// The streams of this request.
    pub(crate) streams: Vec<String>,
    /// Without a backfill, streams that nothing is said about are not complete.
    pub(crate) backfill: bool,
}

impl Opened {
    /// What is known when not even the source could be opened.
    pub(crate) fn nothing(engine: &Engine, state: SyncState) -> Opened {
        Opened {
            output: futures::stream::empty().boxed(),
            ledger: RunLedger::begin(state, std::iter::empty(), engine.now()),
            streams: Vec::new(),
            backfill: false,
        }
    }
}

/// After so many messages others get their turn.
const UNBROKEN: u32 = 128;

/// What happens next in a sync.
enum Step {
    Message(Option<Result<Message, EngineError>>),
    ProgressDue,
    HardLimit,
}

impl Engine {
    /// Everything that comes out of the destination except records, `progress` after what changes
    /// it (at most ten a second, the last one always), and at the end one `eof` with the state to go on
    /// from. After a failure the `eof` comes first, then the error.
    pub fn pipeline_sync(&self, request: PipelineSync) -> EngineStream {
        self.syncing(request, Position::Given)
    }

    /// A sync from `position` on.
    pub(crate) fn syncing(&self, request: PipelineSync, position: Position) -> EngineStream {
        let engine = self.clone();
        let span = tracing::info_span!(
            target: TRACE,
            "pipeline_sync",
            source = %request.pipeline.source.connector,
            destination = %request.pipeline.destination.connector,
            run_id = request.run_id,
            sync_id = request.sync_id,
            has_more = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        traced(
            span,
            Box::pin(async_stream::stream! {
                let started = Instant::now();
                let cut = Cut::default();
                let hard = request.limits.hard.map(|limit| started + limit);
                let before = request.state.clone().unwrap_or_else(SyncState::empty);
                let mut failure = None;
                let stop = request.stop.clone();
                let opening = async {
                    let request = match position {
                        Position::Given => request,
                        Position::Stored => engine.at_stored_position(request).await?,
                    };
                    engine.open_sync(request, started, cut.clone()).await
                };
                let opened = tokio::select! {
                    biased;
                    opened = opening => opened.map(Some),
                    () = at(hard) => {
                        hard_limit_reached();
                        Ok(None)
                    }
                    () = stop.cancelled() => {
                        stopped_on_request();
                        Ok(None)
                    }
                };
                let opened = opened.unwrap_or_else(|error| {
                    failure = Some(error);
                    None
                });
                if opened.is_none() && failure.is_none() {
                    cut.mark();
                }
                // What the destination keeps may not have been read: to go on from nothing would be to begin anew.
                let known = opened.is_some() || position == Position::Given;
                let mut opened = opened.unwrap_or_else(|| Opened::nothing(&engine, before));
                let mut cadence = Cadence::new(started);
                let mut unbroken: u32 = 0;
                let mut ended = failure.is_some() || cut.happened();
                // Its sleep is registered once, not once per message.
                let hard_limit = at(hard);
                tokio::pin!(hard_limit);
                while !ended {
                    let step = tokio::select! {
                        biased;
                        () = &mut hard_limit => Step::HardLimit,
                        message = opened.output.next() => Step::Message(message),
                        () = at(cadence.due()), if cadence.due().is_some() => Step::ProgressDue,
                    };
                    match step {
                        Step::Message(Some(Ok(message))) => {
                            // Records end here: without this, a source that always has one would let nothing else in. It is
                            // not tokio's budget that is spent, for whoever sends what comes out needs that.
                            unbroken = unbroken.wrapping_add(1);
                            if unbroken.is_multiple_of(UNBROKEN) {
                                tokio::task::yield_now().await;
                            }
                            let message = engine.stamp(message);
                            opened.ledger.observe(&message, message.ts.unwrap_or_else(|| engine.now()));
                            let changes = changes_progress(&message);
                            if !matches!(message.payload, Payload::Record(_)) {
                                yield Ok(message);
                            }
                            if changes && cadence.triggered(Instant::now()) {
                                cadence.said(Instant::now());
                                yield Ok(engine.progress(&opened.ledger));
                            }
                        }
                        Step::ProgressDue => {
                            cadence.said(Instant::now());
                            yield Ok(engine.progress(&opened.ledger));
                        }
                        Step::Message(Some(Err(error))) => {
                            failure = Some(error);
                            ended = true;
                        }
                        Step::Message(None) => ended = true,
                        Step::HardLimit => {
                            hard_limit_reached();
                            cut.mark();
                            ended = true;
                        }
                    }
                }
                // Nothing of it runs on behind the `eof`.
                drop(std::mem::replace(&mut opened.output, futures::stream::empty().boxed()));
                let natural = failure.is_none() && !cut.happened();
                let finished =
                    natural && opened.backfill && opened.ledger.finish_silent(&opened.streams);
                if finished || cadence.due().is_some() {
                    yield Ok(engine.progress(&opened.ledger));
                }
                let mut eof = opened.ledger.eof(failure.is_none() && cut.happened(), failure.is_some());
                eof.ending_state = eof.ending_state.filter(|_| known);
                yield Ok(engine.stamp(from_engine(Payload::Eof(Eof::Sync(Box::new(eof))))));
                if let Some(error) = failure {
                    yield Err(error);
                }
            }),
        )
    }

    /// Connects source and destination for a sync that began at `started`.
    async fn open_sync(
        &self,
        request: PipelineSync,
        started: Instant,
        cut: Cut,
    ) -> Result<Opened, EngineError> {
        request.limits.validate()?;
        let fraction = {
            let destination = self.registry().destination(&request.pipeline.destination.connector)?;
            destination.spec().soft_limit_fraction
        };
        let soft = request.limits.with_soft_fraction(fraction).soft.map(|limit| started + limit);
        let stop = request.stop.clone();
        self.connect(request, |messages| until_stopped(messages, soft, stop, cut), false).await
    }

    /// Discovers, begins or continues the run, and lets the destination pull the source through
    /// `bound`. With `narrow_source` the source, too, gets schemas of selected fields only.
    pub(crate) async fn connect(
        &self,
        request: PipelineSync,
        bound: impl FnOnce(MessageStream) -> MessageStream,
        narrow_source: bool,
    ) -> Result<Opened, EngineError> {
        let resolved = self.resolve(request.pipeline, Side::Both)?;
        let (catalogs, rules) = self.catalogs(&resolved.pipeline, request.discovered.as_deref()).await?;
        let known = request.state.as_ref().map(|state| state.source.clone());
        let run_id = request.run_id.as_deref();
        let state = initial_state(request.state, run_id, catalogs.names(), self.now());
        let catalogs = without_terminal(catalogs, &state);
        let ceiling = state.sync_run.time_ceiling;
        let streams: Vec<String> = catalogs.names().map(str::to_owned).collect();
        let ledger = RunLedger::begin(state, streams.iter().map(String::as_str), self.now());

        let (handed_back, durable) = watch::channel(0);
        let (source, destination) = (&resolved.pipeline.source, &resolved.pipeline.destination);
        let backfill = request.input.is_none();
        let to_read = if narrow_source { catalogs.destination.clone() } else { catalogs.source };
        let read = ReadRequest {
            catalog: with_ceiling(to_read, ceiling),
            state: known,
            input: request.input,
            durable: Some(durable),
        };
        let messages = resolved.source.read(&source.config, read);
        let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
        let mut delivery = Delivery::new(&catalogs.destination);
        let input = bound(messages).filter_map(move |message| {
            let admitted =
                message.and_then(|message| rules.apply(message)).and_then(|message| delivery.admit(message));
            std::future::ready(admitted.transpose())
        });
        let write = WriteRequest {
            catalog: with_ceiling(catalogs.destination, ceiling),
            input: input.boxed(),
            sync_id: request.sync_id,
        };
        let output = resolved.destination.write(&destination.config, write);
        let output = output.map_err(|error| EngineError::destination(&destination.connector, error))?;
        let output = from_destination(output, &destination.connector).inspect(move |message| {
            let global = |payload: &Payload| {
                matches!(payload, Payload::SourceState(SourceStateMessage::Global { .. }))
            };
            if message.as_ref().is_ok_and(|message| global(&message.payload)) {
                handed_back.send_modify(|count| *count += 1);
            }
        });
        Ok(Opened { output: output.boxed(), ledger, streams, backfill })
    }

    fn progress(&self, ledger: &RunLedger) -> Message {
        self.stamp(from_engine(Payload::Progress(Box::new(ledger.run_progress()))))
    }
}

fn changes_progress(message: &Message) -> bool {
    matches!(
        message.payload,
        Payload::StreamStatus(_) | Payload::SourceState(_) | Payload::ConnectionStatus(_)
    )
}
