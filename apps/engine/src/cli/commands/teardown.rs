//! `teardown`: removes what was made.

use std::io::{BufRead, IsTerminal};

use engine::{Role, Side};
use futures::StreamExt;
use protocol::{ConnectorConfig, PipelineConfig};
use serde_json::Map;

use super::Opened;
use crate::cli::args::TeardownArgs;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

pub(super) async fn run(args: &TeardownArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let destination = opened.destination(session, &args.pipeline)?;
    let place = destination.place();
    // Rows can be removed without a key for the account they came from.
    let (source, side) = match opened.source(session, &args.pipeline.source, None) {
        Ok(source) => (source.connector, Side::Both),
        Err(_) => (ConnectorConfig::new("stripe", Map::new()), Side::Only(Role::Destination)),
    };
    if !args.yes {
        confirm(session, &place)?;
    }
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let pipeline =
        PipelineConfig { source, destination: destination.connector, streams: None, transforms: None };
    let mut messages = opened.engine.pipeline_teardown(pipeline, side)?;
    while let Some(message) = interrupt.unless(async { Ok::<_, Failure>(messages.next().await) }).await? {
        let message = message?;
        if session.mode == Mode::Json {
            session.output.message(&message);
        }
    }
    session.say(&format!("Removed what was made in {place}."));
    Ok(())
}

fn confirm(session: &Session, place: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "this removes all synced tables and rows from {place}; nobody can be asked here, so add --yes"
        )));
    }
    session.screen.line(&format!("This removes all synced tables and rows from {place}. Type yes to go on:"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format!("the answer cannot be read: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::failed("nothing was removed")) }
}
