//! `discover`: the catalog as the source offers it.

use protocol::{Message, Payload};

use super::Opened;
use crate::cli::args::SourceOnlyArgs;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

pub(super) async fn run(args: &SourceOnlyArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.source, args.config.as_deref())?;
    let source = opened.source(session, &args.source, None)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let catalog = interrupt.unless(opened.engine.discover(&source.connector)).await?;
    let message = Message::from(Payload::Catalog(catalog));
    if session.mode == Mode::Json {
        session.output.message(&message);
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&message)
        .map_err(|error| Failure::failed(format!("the catalog cannot be written: {error}")))?;
    session.output.line(&text);
    Ok(())
}
