//! `sync`.

use engine::program::STOPPING;

use super::Opened;
use crate::cli::args::SyncArgs;
use crate::cli::documents;
use crate::cli::elsewhere::{refuse_local_flags, refuse_unnamed_file};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::{Job, tell};
use crate::cli::session::Session;
use crate::cli::settings::{resolve_run, resolve_selection};
use crate::cli::shared_limit::VARIABLE;
use crate::cli::worker::Worker;

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
    let elsewhere = args.engine.resolve(&session.environment)?;
    if elsewhere.is_some() {
        refuse_local_flags(&args.pipeline, &session.search)?;
    }
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let params = args.run.params.as_deref().map(|given| documents::read("--params", given)).transpose()?;
    let streams = resolve_selection(&args.selection, params.as_ref(), opened.document.as_ref());
    let run = resolve_run(&args.run, streams, params.as_ref())?;
    let mut source = opened.source(session, &args.pipeline.source, run.backfill_limit)?;
    let live = source.follow(&args.changes)?;
    let transforms = opened.transforms(session);
    let (worker, destination, interrupt) = match elsewhere {
        Some(elsewhere) => {
            let destination = opened.destination_anywhere(session, &args.pipeline)?;
            refuse_unnamed_file(&destination)?;
            if session.environment.get(VARIABLE).is_some() {
                tell(
                    session,
                    &format!("{VARIABLE} is not used: the engine elsewhere keeps a limit of its own."),
                );
            }
            let interrupt = Interrupt::listen_saying(session.screen.clone(), STOPPING)?;
            (Worker::There(elsewhere), destination, interrupt)
        }
        None => {
            let destination = opened.destination(session, &args.pipeline)?;
            let Opened { engine, meter, .. } = opened.sharing(session, &args.pipeline, &destination)?;
            let interrupt = Interrupt::listen(session.screen.clone())?;
            (Worker::Here { engine, meter }, destination, interrupt)
        }
    };
    let job = Job { worker, source, destination, run, transforms, live };
    job.run(session, &interrupt).await.map(drop)
}
