//! `reconcile`: is the copy what the source holds?

use std::sync::Arc;

use engine::{Reconcile, StreamReport};
use protocol::PipelineConfig;

use super::Opened;
use crate::cli::args::ReconcileArgs;
use crate::cli::display::{Comparison, compared, told};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::{set_up, tell};
use crate::cli::session::{Mode, Session};
use crate::cli::settings::{Position, resolve_selection};

pub(super) async fn run(args: &ReconcileArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let streams = resolve_selection(&args.selection, None, opened.document.as_ref());
    let source = opened.source(session, &args.pipeline.source, None)?;
    let destination = opened.destination(session, &args.pipeline)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    tell(session, &format!("Comparing {} with {}.", destination.place(), source.name));

    let discovered = Arc::new(interrupt.unless(opened.engine.discover(&source.connector)).await?);
    let mut pipeline = PipelineConfig {
        source: source.connector,
        destination: destination.connector.clone(),
        streams: Some(streams),
        transforms: opened.transforms(session),
    };
    let prepared = set_up(&opened.engine, session, &mut pipeline, Arc::clone(&discovered));
    interrupt.unless(prepared).await?;
    let position = args.comparison.sync_id.clone().map_or(Position::OfAccount, Position::Named);
    let sync_id = position.sync_id(&pipeline.source.config).map(|name| format!("{name}/reconcile"));
    let meter = Arc::clone(&opened.meter);
    let request = Reconcile {
        pipeline,
        discovered: Some(discovered),
        sync_id,
        since: args.comparison.since,
        repair: args.comparison.repair,
        max_requests: args.comparison.max_requests,
        requests: Arc::new(move || meter.requests_sent()),
        stop: interrupt.token(),
    };
    let hear = |stream: &StreamReport| {
        if let Some(text) = told(stream) {
            tell(session, &text);
        }
    };
    let report = opened.engine.reconcile(request, hear).await?;
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
