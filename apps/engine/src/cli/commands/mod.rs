//! What each command does.

mod api;
mod check;
mod completions;
mod conformance;
mod demo;
mod discover;
mod doctor;
mod manual;
mod reconcile;
mod serve;
mod setup;
mod streams;
mod sync;
mod teardown;

use std::sync::Arc;

use engine::Engine;
use engine::program::connect;
use protocol::Transforms;
use serde_json::{Map, Value};
use source_stripe::RequestMeter;

use super::args::{Command, PipelineArgs, SourceArgs};
use super::documents::{self, PipelineDocument};
use super::failure::Failure;
use super::session::Session;
use super::settings::{DestinationSettings, Given, SourceSettings, resolve_destination, resolve_source};
use super::shared_limit::shared_budget;

/// Does what the command says.
pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Sync(args) => sync::run(&args, session).await,
        Command::Reconcile(args) => reconcile::run(&args, session).await,
        Command::Check(args) => check::run(&args, session).await,
        Command::Discover(args) => discover::run(&args, session).await,
        Command::Streams(args) => streams::run(args, session).await,
        Command::Doctor(args) => doctor::run(&args, session).await,
        Command::Man { command } => manual::run(command.as_deref(), session),
        Command::Setup(args) => setup::run(&args, session).await,
        Command::Teardown(args) => teardown::run(&args, session).await,
        Command::Serve(args) => serve::run(&args, session).await,
        Command::Api(args) => api::run(&args, session).await,
        Command::Conformance(args) => conformance::run(&args, session).await,
        Command::Demo(args) => demo::run(&args, session).await,
        Command::Completions { shell } => {
            completions::run(shell, session);
            Ok(())
        }
    }
}

/// The engine, and what was given to it beside flags.
struct Opened {
    engine: Engine,
    meter: Arc<RequestMeter>,
    document: Option<PipelineDocument>,
}

impl Opened {
    fn open(session: &Session, source: &SourceArgs, config: Option<&str>) -> Result<Opened, Failure> {
        let document = config.map(|config| documents::read("--config", config)).transpose()?;
        let connected =
            connect(source.stripe_spec.as_deref(), &session.environment, session.search.clone(), None)?;
        Ok(Opened { engine: connected.engine, meter: connected.meter, document })
    }

    /// The same, sharing the rate limit with other processes where that is wanted.
    fn sharing(
        self,
        session: &Session,
        args: &PipelineArgs,
        destination: &DestinationSettings,
    ) -> Result<Opened, Failure> {
        let budget = shared_budget(&args.share, &session.environment, destination)?;
        if budget.is_none() {
            return Ok(self);
        }
        let connected = connect(
            args.source.stripe_spec.as_deref(),
            &session.environment,
            session.search.clone(),
            budget,
        )?;
        Ok(Opened { engine: connected.engine, meter: connected.meter, document: self.document })
    }

    fn given<'a>(&'a self, session: &'a Session) -> Given<'a> {
        Given {
            environment: &session.environment,
            document: self.document.as_ref(),
            registry: self.engine.registry(),
        }
    }

    /// What happens to records, with the key that the environment has.
    fn transforms(&self, session: &Session) -> Option<Transforms> {
        let mut transforms = self.document.as_ref()?.transforms.clone()?;
        let known = || session.environment.get(HASH_KEY).map(str::to_owned);
        transforms.hash_key = transforms.hash_key.or_else(known);
        Some(transforms)
    }

    fn source(
        &self,
        session: &Session,
        args: &SourceArgs,
        backfill_limit: Option<u64>,
    ) -> Result<SourceSettings, Failure> {
        let config = config_flag("--source-config", args.source_config.as_deref())?;
        let newest = stripe_openapi::embedded::newest_version();
        resolve_source(args, backfill_limit, config.as_ref(), &self.given(session), newest)
    }

    fn destination(&self, session: &Session, args: &PipelineArgs) -> Result<DestinationSettings, Failure> {
        let settings = self.destination_anywhere(session, args)?;
        // One that there is not is told before anything is asked of the source.
        self.engine.registry().destination(&settings.connector.connector)?;
        Ok(settings)
    }

    /// The destination, of any type: one elsewhere may know others.
    fn destination_anywhere(
        &self,
        session: &Session,
        args: &PipelineArgs,
    ) -> Result<DestinationSettings, Failure> {
        let args = &args.destination;
        let config = config_flag("--destination-config", args.destination_config.as_deref())?;
        resolve_destination(args, config.as_ref(), &self.given(session))
    }
}

/// Where the key of digests is looked for, if the document does not hold it.
const HASH_KEY: &str = "TRANSFORMS_HASH_KEY";

fn config_flag(flag: &str, given: Option<&str>) -> Result<Option<Map<String, Value>>, Failure> {
    given.map(|given| documents::read(flag, given)).transpose()
}
