//! `sync`.

use super::Opened;
use crate::cli::args::SyncArgs;
use crate::cli::documents;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::Job;
use crate::cli::session::Session;
use crate::cli::settings::{resolve_run, resolve_selection};

pub(super) async fn run(args: &SyncArgs, session: &Session) -> Result<(), Failure> {
    if [&args.pipeline.config, &args.run.params]
        .into_iter()
        .flatten()
        .filter(|given| given.trim() == "-")
        .count()
        > 1
    {
        return Err(Failure::usage("--config - and --params - both want stdin; give one of them as a file"));
    }
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let params = args.run.params.as_deref().map(|given| documents::read("--params", given)).transpose()?;
    let streams = resolve_selection(&args.selection, params.as_ref(), opened.document.as_ref());
    let run = resolve_run(&args.run, streams, params.as_ref())?;
    let mut source = opened.source(session, &args.pipeline.source, run.backfill_limit)?;
    let live = source.follow(&args.changes)?;
    let destination = opened.destination(session, &args.pipeline)?;
    let opened = opened.sharing(session, &args.pipeline, &destination)?;
    let transforms = opened.transforms(session);
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let job = Job { engine: opened.engine, meter: opened.meter, source, destination, run, transforms, live };
    job.run(session, &interrupt).await.map(drop)
}
