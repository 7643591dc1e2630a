//! `demo`: a simulated account, synced like a real one.

mod queries;

use std::path::Path;

use engine::program::connect;
use protocol::{ConnectorConfig, TimeRange, counted};
use serde_json::{Map, Value, json};
use stripe_simulator::{Limits, Simulator};

use crate::cli::args::DemoArgs;
use crate::cli::display::count;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::job::Job;
use crate::cli::session::{Mode, Session};
use crate::cli::settings::{DestinationSettings, Position, RunSettings, SourceSettings};
use crate::cli::worker::Worker;

/// Looks like a key of live mode, so that the sync goes at the pace of one.
const KEY: &str = "sk_live_simulated";

/// The position of each simulated account has a name of its own, with this before it.
const SYNC_ID_PREFIX: &str = "demo-";

pub(super) async fn run(args: &DemoArgs, session: &Session) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let version = args.api_version.as_deref().unwrap_or(stripe_openapi::embedded::newest_version());
    let catalog = stripe_openapi::embedded::catalog(version).ok_or_else(|| unknown_version(version))?;
    let sync_id = format!("{SYNC_ID_PREFIX}{version}-{}-{}", args.objects, args.seed);
    refuse_foreign_file(&args.db, &sync_id)?;

    let world = Simulator::builder(catalog)
        .objects(args.objects)
        .seed(args.seed)
        .livemode(true)
        .api_key(KEY)
        .limits(Limits::live());
    let simulator = world
        .start()
        .await
        .map_err(|error| Failure::failed(format!("the simulated account cannot be started: {error}")))?;
    let connected = connect(None, &session.environment, session.search.clone(), None)?;
    let job = Job {
        worker: Worker::Here { engine: connected.engine, meter: connected.meter },
        source: SourceSettings {
            connector: ConnectorConfig::new(
                "stripe",
                object(&json!({"api_key": KEY, "base_url": simulator.url(), "api_version": version})),
            ),
            name: format!(
                "a simulated Stripe account of {} (API version {version})",
                counted(count(args.objects), "object")
            ),
        },
        destination: DestinationSettings {
            connector: ConnectorConfig::new("sqlite", object(&json!({"path": args.db}))),
            because: None,
            unnamed_file: false,
        },
        run: RunSettings {
            streams: Vec::new(),
            range: TimeRange::default(),
            backfill_limit: None,
            limits: engine::TimeLimits::default(),
            run_id: None,
            position: Position::Named(sync_id),
        },
        transforms: None,
        live: false,
    };
    job.run(session, &interrupt).await?;
    simulator.stop().await;
    if matches!(session.mode, Mode::Live | Mode::Plain) {
        session.say(&queries::shown(Path::new(&args.db))?);
        session.say(
            "\nFor a real account, put its key into the environment and sync:\n  \
             export STRIPE_API_KEY=<your key>\n  sync-engine sync",
        );
    }
    Ok(())
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn unknown_version(version: &str) -> Failure {
    let known = stripe_openapi::embedded::versions();
    let near = engine::nearest(version, known).join(", ");
    let near = if near.is_empty() { String::new() } else { format!("; near are {near}") };
    let newest = stripe_openapi::embedded::newest_version();
    Failure::usage(format!("API version `{version}` is not built in{near}; the newest is {newest}"))
}

/// Rows of two simulated accounts in one file would be a copy of neither.
fn refuse_foreign_file(path: &str, sync_id: &str) -> Result<(), Failure> {
    let others = queries::sync_ids(Path::new(path))?;
    match others.iter().find(|other| *other != sync_id) {
        None => Ok(()),
        Some(other) => {
            let whose = match other.strip_prefix(SYNC_ID_PREFIX) {
                Some(world) => format!("another simulated account ({world})"),
                None => "another account".to_owned(),
            };
            Err(Failure::usage(format!("{path} holds {whose}; choose another file by --db, or remove it")))
        }
    }
}
