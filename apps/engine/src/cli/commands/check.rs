//! `check`: can source and destination be used, and which streams can be read?

use engine::Side;
use futures::StreamExt;
use protocol::{ConnectionState, LogLevel, Message, Payload, PipelineConfig};

use super::Opened;
use crate::cli::args::CheckArgs;
use crate::cli::display::Readable;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};
use crate::cli::settings::resolve_selection;

pub(super) async fn run(args: &CheckArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let source = opened.source(session, &args.pipeline.source, None)?;
    let destination = opened.destination(session, &args.pipeline)?;
    let opened = opened.sharing(session, &args.pipeline, &destination)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let place = destination.place();
    let streams = resolve_selection(&args.selection, None, opened.document.as_ref());
    let pipeline = PipelineConfig {
        source: source.connector,
        destination: destination.connector,
        streams: Some(streams),
        transforms: opened.transforms(session),
    };
    let mut messages = opened.engine.pipeline_check(pipeline.clone(), Side::Both)?;
    let (mut failed, mut readable) = (false, true);
    while let Some(message) = interrupt.unless(async { Ok::<_, Failure>(messages.next().await) }).await? {
        let message = message?;
        let is_source = message.emitted_by.as_deref().unwrap_or_default().starts_with("source/");
        let failure = told(session, &message, if is_source { &source.name } else { &place });
        failed |= failure;
        readable &= !(failure && is_source);
    }
    if readable {
        failed |= !interrupt.unless(streams_can_be_read(&opened, session, pipeline)).await?;
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}

/// Tells of each stream; answers whether any can be read.
async fn streams_can_be_read(
    opened: &Opened,
    session: &Session,
    pipeline: PipelineConfig,
) -> Result<bool, Failure> {
    let discovered = opened.engine.discover(&pipeline.source).await?;
    let name = pipeline.source.connector.clone();
    let Some(mut messages) = opened.engine.pipeline_preflight(pipeline, Some(&discovered)).await? else {
        return Ok(true);
    };
    let mut streams = Readable::default();
    while let Some(message) = messages.next().await {
        let message = message?;
        if told(session, &message, &name) {
            return Ok(false);
        }
        match message.payload {
            Payload::StreamStatus(status) => streams.add(status),
            Payload::Log(log) if log.level == LogLevel::Warn => streams.note(log.message),
            _ => {}
        }
    }
    session.say(&streams.to_string());
    if !streams.any() && session.mode == Mode::Quiet {
        session.screen.error("none of the streams can be read");
    }
    Ok(streams.any())
}

/// Tells of a message; answers whether it is a failure.
fn told(session: &Session, message: &Message, name: &str) -> bool {
    if session.mode == Mode::Json {
        session.output.message(message);
    }
    let Payload::ConnectionStatus(status) = &message.payload else { return false };
    match status.status {
        ConnectionState::Succeeded => {
            session.say(&format!("ok      {name}"));
            false
        }
        ConnectionState::Failed => {
            let reason = status.message.as_deref().unwrap_or("it does not say why");
            session.say(&format!("failed  {name}\n        {reason}"));
            if session.mode == Mode::Quiet {
                session.screen.error(&format!("{name}: {reason}"));
            }
            true
        }
    }
}
