//! `check`: can source and destination be used?

use engine::Side;
use futures::StreamExt;
use protocol::{ConnectionState, Payload, PipelineConfig};

use super::Opened;
use crate::cli::args::PipelineArgs;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

pub(super) async fn run(args: &PipelineArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.source, args.config.as_deref())?;
    let source = opened.source(session, &args.source, None)?;
    let destination = opened.destination(session, args)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let place = destination.place();
    let pipeline =
        PipelineConfig { source: source.connector, destination: destination.connector, streams: None };
    let mut messages = opened.engine.pipeline_check(pipeline, Side::Both)?;
    let mut failed = false;
    let mut told = |session: &Session, message: &protocol::Message| {
        if session.mode == Mode::Json {
            session.output.message(message);
        }
        let Payload::ConnectionStatus(status) = &message.payload else { return };
        let by = message.emitted_by.as_deref().unwrap_or_default();
        let name = if by.starts_with("source/") { &source.name } else { &place };
        match status.status {
            ConnectionState::Succeeded => session.say(&format!("ok      {name}")),
            ConnectionState::Failed => {
                failed = true;
                let reason = status.message.as_deref().unwrap_or("it does not say why");
                session.say(&format!("failed  {name}\n        {reason}"));
                if session.mode == Mode::Quiet {
                    session.screen.error(&format!("{name}: {reason}"));
                }
            }
        }
    };
    while let Some(message) = interrupt.unless(async { Ok::<_, Failure>(messages.next().await) }).await? {
        told(session, &message?);
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}
