//! `setup`: the tables, without rows.

use std::sync::Arc;

use protocol::PipelineConfig;

use super::Opened;
use crate::cli::args::SetupArgs;
use crate::cli::display::count;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::set_up;
use crate::cli::session::Session;
use crate::cli::settings::resolve_selection;
use crate::cli::worker::Worker;

pub(super) async fn run(args: &SetupArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let source = opened.source(session, &args.pipeline.source, None)?;
    let destination = opened.destination(session, &args.pipeline)?;
    let opened = opened.sharing(session, &args.pipeline, &destination)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let place = destination.place();
    let streams = resolve_selection(&args.selection, None, opened.document.as_ref());
    let discovered = Arc::new(interrupt.unless(opened.engine.discover(&source.connector)).await?);
    let number = engine::configure(&discovered, &streams)?.names().count();
    let mut pipeline = PipelineConfig {
        source: source.connector,
        destination: destination.connector,
        streams: Some(streams),
        transforms: opened.transforms(session),
    };
    let worker = Worker::Here { engine: opened.engine, meter: opened.meter };
    interrupt.unless(set_up(&worker, session, &mut pipeline, discovered)).await?;
    let noun = if number == 1 { "stream" } else { "streams" };
    session.say(&format!("{} {noun} can be written into {place}.", count(number as u64)));
    Ok(())
}
