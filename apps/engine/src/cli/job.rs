//! One sync from beginning to end: discover, set up, load the position, sync. `sync` and `demo` do the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{EngineStream, PipelineSync, Setup, Side};
use futures::StreamExt;
use protocol::{
    CatalogMessage, ConnectionState, Control, Eof, EofPayload, Payload, PipelineConfig, StreamRunStatus,
    Transforms,
};
use tokio::time::MissedTickBehavior;

use super::display::{Reporter, Summary, summarise};
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::session::{Mode, Session};
use super::settings::{DestinationSettings, Position, RunSettings, SourceSettings};
use super::worker::Worker;

/// How often a display is redrawn.
const TICK: Duration = Duration::from_millis(150);

/// What to sync.
pub(crate) struct Job {
    pub(crate) worker: Worker,
    pub(crate) source: SourceSettings,
    pub(crate) destination: DestinationSettings,
    pub(crate) run: RunSettings,
    pub(crate) transforms: Option<Transforms>,
    /// Whether changes are followed until somebody stops it.
    pub(crate) live: bool,
}

/// How a sync ended.
pub(crate) struct Finished {
    pub(crate) eof: EofPayload,
    pub(crate) elapsed_ms: u64,
    /// Ended by a signal, with something left to do.
    pub(crate) interrupted: bool,
}

impl Job {
    /// Syncs, tells how it goes and how it ended. A stream that failed fails the job.
    pub(crate) async fn run(&self, session: &Session, interrupt: &Interrupt) -> Result<Finished, Failure> {
        if let Some(because) = &self.destination.because {
            tell(session, because);
        }
        let by = self.worker.elsewhere().map(|there| format!(", by the engine at {}", there.url));
        let by = by.unwrap_or_default();
        tell(session, &format!("Copying {} into {}{by}.", self.source.name, self.destination.place()));
        let started = Instant::now();
        let (pipeline, discovered) = interrupt.unless(self.prepare(session)).await?;
        // What it is from now on, where setup made it.
        let destination =
            DestinationSettings { connector: pipeline.destination.clone(), ..self.destination.clone() };
        if destination != self.destination {
            let text =
                format!("Made {}; name it the next time, or another one is made.", destination.place());
            tell(session, &text);
        }
        let sync_id = self.run.position.sync_id(&pipeline.source.config);
        let state = match &sync_id {
            None => None,
            Some(id) => interrupt.unless(self.worker.stored_state(&destination.connector, id)).await?,
        };
        let request = PipelineSync {
            state,
            sync_id,
            discovered: Some(discovered),
            limits: self.run.limits,
            ..PipelineSync::new(pipeline)
        };
        let syncing = self.sync(session, interrupt, request);
        let eof = match self.worker.elsewhere() {
            None => syncing.await?,
            // It cannot be asked to stop; it stops when nobody hears it any more.
            Some(_) => interrupt.unless(syncing).await?,
        };
        session.screen.clear();
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // What is followed ends by being stopped, unless that came before the lists were read.
        let unfinished = |eof: &EofPayload| {
            eof.request_progress.streams.values().any(|stream| !stream.status.is_terminal())
        };
        let interrupted = interrupt.happened() && eof.has_more && (!self.live || unfinished(&eof));
        let finished = Finished { interrupted, eof, elapsed_ms };
        self.conclude(session, &finished, &destination)?;
        Ok(finished)
    }

    /// Discovers and sets up; answers the pipeline as the connectors want it from now on.
    async fn prepare(&self, session: &Session) -> Result<(PipelineConfig, Arc<CatalogMessage>), Failure> {
        let discovered = Arc::new(self.worker.discover(&self.source.connector).await?);
        let streams = self.run.selection(&discovered);
        // Names that there are not are told before anything is made.
        engine::configure(&discovered, &streams)?;
        let mut pipeline = PipelineConfig {
            source: self.source.connector.clone(),
            destination: self.destination.connector.clone(),
            streams: Some(streams),
            transforms: self.transforms.clone(),
        };
        let known = Some(Arc::clone(&discovered));
        let set_up =
            self.worker.set_up(Setup { pipeline: pipeline.clone(), side: Side::Both, discovered: known });
        changed_by(set_up, session, &mut pipeline).await?;
        Ok((pipeline, discovered))
    }

    async fn sync(
        &self,
        session: &Session,
        interrupt: &Interrupt,
        request: PipelineSync,
    ) -> Result<EofPayload, Failure> {
        let selected = request.pipeline.streams.as_deref().unwrap_or_default();
        let names = match &request.discovered {
            Some(discovered) => engine::configure(discovered, selected)?.names().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        // Its own, so that a reader who went away is not taken for an interruption.
        let stop = interrupt.token().child_token();
        // A run ends at the time it began; what is followed has no end.
        let new = (!self.live).then(|| uuid::Uuid::new_v4().to_string());
        let run_id = self.run.run_id.clone().or(new);
        let mut messages = self.worker.sync(PipelineSync { run_id, stop: stop.clone(), ..request });
        let mut reporter = match session.mode {
            Mode::Live => Reporter::live(session.screen.clone(), names.into_iter(), self.live),
            Mode::Plain => Reporter::plain(session.screen.clone()),
            Mode::Json => Reporter::json(session.output.clone()),
            Mode::Quiet => Reporter::quiet(),
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut end = None;
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                _ = ticks.tick() => {
                    reporter.tick(self.worker.requests(), interrupt.happened());
                    continue;
                }
            };
            match message {
                None => break,
                Some(Err(error)) => {
                    session.screen.clear();
                    return Err(error.into());
                }
                Some(Ok(message)) => {
                    reporter.message(&message);
                    if session.output.is_closed() && session.mode == Mode::Json {
                        // Whoever read along is gone; what was read is still saved.
                        stop.cancel();
                        if self.worker.elsewhere().is_some() {
                            return Err(Failure::failed(
                                "stdout was closed; the request was ended, and the engine elsewhere stops",
                            ));
                        }
                    }
                    if let Payload::Eof(Eof::Sync(eof)) = message.payload {
                        end = Some(*eof);
                    }
                }
            }
        }
        end.ok_or_else(|| Failure::failed("the sync ended without saying how"))
    }

    /// Says how it ended, and decides whether that is a success.
    fn conclude(
        &self,
        session: &Session,
        finished: &Finished,
        destination: &DestinationSettings,
    ) -> Result<(), Failure> {
        let eof = &finished.eof;
        // A file elsewhere cannot be looked into from here.
        let reachable = self.worker.elsewhere().is_none() || destination.connector.connector != "sqlite";
        let query = |stream: &str| destination.query_hint(stream).filter(|_| reachable);
        let limited = self.run.limits.hard.is_some() || self.run.limits.soft.is_some();
        // Nobody asked it to end here.
        let stopped_by = self.worker.elsewhere().filter(|_| eof.has_more && !limited);
        let text = summarise(&Summary {
            eof,
            elapsed_ms: finished.elapsed_ms,
            requests: self.worker.requests().map(|requests| requests.sent).filter(|sent| *sent > 0),
            place: &destination.place(),
            again: &destination.again(*destination != self.destination),
            query: &query,
            keeps_state: self.run.position != Position::Nowhere,
            interrupted: finished.interrupted || stopped_by.is_some(),
            followed: self.live,
        });
        session.say(&text);
        let connection = eof.request_progress.connection_status.as_ref();
        if let Some(status) = connection.filter(|status| status.status == ConnectionState::Failed) {
            let text = status.message.clone().unwrap_or_else(|| "the connection failed".to_owned());
            return Err(Failure::Failed(text));
        }
        let with = |wanted: StreamRunStatus| {
            eof.request_progress.streams.iter().filter(move |(_, stream)| stream.status == wanted)
        };
        if with(StreamRunStatus::Errored).next().is_some() {
            return Err(Failure::Told);
        }
        if finished.interrupted {
            return Err(Failure::Interrupted);
        }
        if let Some(there) = stopped_by {
            return Err(Failure::failed(format!(
                "the engine at {} was stopped before the sync had finished; what it read is saved, and the same \
                 command goes on",
                there.url
            )));
        }
        if session.output.is_closed() && session.mode == Mode::Json {
            return Err(Failure::failed(
                "stdout was closed; the sync was stopped, and what was read is saved",
            ));
        }
        let unfinished: Vec<&str> = with(StreamRunStatus::Started).map(|(name, _)| name.as_str()).collect();
        if !eof.has_more && !unfinished.is_empty() {
            return Err(Failure::failed(format!(
                "the source ended before these streams were finished: {}; run the same command again",
                unfinished.join(", ")
            )));
        }
        Ok(())
    }
}

/// Sets both sides up; a connector may change its configuration by that.
pub(crate) async fn set_up(
    worker: &Worker,
    session: &Session,
    pipeline: &mut PipelineConfig,
    discovered: Arc<CatalogMessage>,
) -> Result<(), Failure> {
    let discovered = Some(discovered);
    let request = Setup { pipeline: pipeline.clone(), side: Side::Both, discovered };
    changed_by(worker.set_up(request), session, pipeline).await
}

/// Takes over into the pipeline what the messages of a setup say.
async fn changed_by(
    mut messages: EngineStream,
    session: &Session,
    pipeline: &mut PipelineConfig,
) -> Result<(), Failure> {
    while let Some(message) = messages.next().await {
        let message = message?;
        if session.mode == Mode::Json {
            session.output.message(&message);
        }
        match message.payload {
            Payload::Control(Control::SourceConfig { source_config }) => {
                pipeline.source.config = source_config;
            }
            Payload::Control(Control::DestinationConfig { destination_config }) => {
                pipeline.destination.config = destination_config;
            }
            Payload::Log(log) if session.mode != Mode::Json => logger::relog(&log),
            _ => {}
        }
    }
    Ok(())
}

/// Says something to people; with `--json` nobody listens on stderr.
pub(crate) fn tell(session: &Session, text: &str) {
    if session.mode != Mode::Json {
        session.screen.note(text);
    }
}
