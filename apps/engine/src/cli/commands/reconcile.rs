//! `reconcile`: is the copy what the source holds?

use std::sync::Arc;

use engine::program::STOPPING;
use engine::{Reconcile, StreamReport};
use protocol::PipelineConfig;

use super::Opened;
use crate::cli::args::ReconcileArgs;
use crate::cli::display::{Comparison, compared, told};
use crate::cli::elsewhere::{refuse_local_flags, refuse_unnamed_file};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::{set_up, tell};
use crate::cli::session::{Mode, Session};
use crate::cli::settings::{Position, resolve_selection};
use crate::cli::worker::Worker;

pub(super) async fn run(args: &ReconcileArgs, session: &Session) -> Result<(), Failure> {
    let elsewhere = args.engine.resolve(&session.environment)?;
    if elsewhere.is_some() {
        refuse_local_flags(&args.pipeline, &session.search)?;
    }
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let streams = resolve_selection(&args.selection, None, opened.document.as_ref());
    let source = opened.source(session, &args.pipeline.source, None)?;
    let transforms = opened.transforms(session);
    let (worker, destination, interrupt) = match elsewhere {
        Some(elsewhere) => {
            let destination = opened.destination_anywhere(session, &args.pipeline)?;
            refuse_unnamed_file(&destination)?;
            let interrupt = Interrupt::listen_saying(session.screen.clone(), STOPPING)?;
            (Worker::There(elsewhere), destination, interrupt)
        }
        None => {
            let destination = opened.destination(session, &args.pipeline)?;
            let Opened { engine, meter, .. } = opened;
            let interrupt = Interrupt::listen(session.screen.clone())?;
            (Worker::Here { engine, meter }, destination, interrupt)
        }
    };
    let by = worker.elsewhere().map(|there| format!(", by the engine at {}", there.url)).unwrap_or_default();
    tell(session, &format!("Comparing {} with {}{by}.", destination.place(), source.name));

    let discovered = Arc::new(interrupt.unless(worker.discover(&source.connector)).await?);
    // Names that there are not are told before anything is made.
    engine::configure(&discovered, &streams)?;
    let mut pipeline = PipelineConfig {
        source: source.connector,
        destination: destination.connector.clone(),
        streams: Some(streams),
        transforms,
    };
    let prepared = set_up(&worker, session, &mut pipeline, Arc::clone(&discovered));
    interrupt.unless(prepared).await?;
    let position = args.comparison.sync_id.clone().map_or(Position::OfAccount, Position::Named);
    let sync_id = position.sync_id(&pipeline.source.config);
    let request = Reconcile {
        discovered: Some(discovered),
        sync_id,
        since: args.comparison.since,
        repair: args.comparison.repair,
        max_requests: args.comparison.max_requests,
        stop: interrupt.token(),
        ..Reconcile::new(pipeline)
    };
    let hear = |stream: &StreamReport| {
        if let Some(text) = told(stream) {
            tell(session, &text);
        }
    };
    let report = worker.reconcile(request, hear).await?;
    if session.mode == Mode::Json {
        let text = serde_json::to_string(&report)
            .map_err(|error| Failure::failed(format!("the report cannot be written: {error}")))?;
        session.output.line(&text);
    }
    session.say(&compared(&Comparison {
        report: &report,
        place: &destination.place(),
        repair: args.comparison.repair,
        interrupted: interrupt.happened(),
    }));
    if interrupt.happened() && !report.finished {
        return Err(Failure::Interrupted);
    }
    if report.equal { Ok(()) } else { Err(Failure::Told) }
}
