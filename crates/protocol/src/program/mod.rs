//! Makes a program of a connector: the command line that every engine knows how to call.
//!
//! `spec`, `check`, `discover`, `read`, `write`, `setup` and `teardown` write messages to stdout, one JSON object per line, and
//! nothing else; words go to stderr. The exit code is 0 where the command did what was asked, also where `check` found that the
//! connection fails, and 1 otherwise. See `docs/connector-spec.md`.

mod input;
mod output;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use futures::StreamExt;

use crate::{
    AnyDestination, AnySource, ConnectorError, Message, MessageStream, Payload, ReadRequest, WriteRequest,
    empty_stream, read_messages,
};
pub use output::failed;
use words::{Command, Role, Words};

/// Does what the command line says with a source. `arguments` begin with the program's name.
pub async fn run_source(source: &dyn AnySource, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words = match Words::read(Role::Source, source.name(), arguments) {
        Ok(words) => words,
        Err(answer) => return answer.give(),
    };
    let messages = match asked_of_source(source, words).await {
        Ok(messages) => messages,
        Err(error) => return output::failed(&error),
    };
    output::copy(messages).await
}

/// Does what the command line says with a destination. `arguments` begin with the program's name.
pub async fn run_destination(
    destination: &dyn AnyDestination,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let words = match Words::read(Role::Destination, destination.name(), arguments) {
        Ok(words) => words,
        Err(answer) => return answer.give(),
    };
    match asked_of_destination(destination, &words) {
        Ok(messages) => output::copy(messages).await,
        Err(error) => output::failed(&error),
    }
}

async fn asked_of_source(source: &dyn AnySource, words: Words) -> Result<MessageStream, ConnectorError> {
    let config = words.config.unwrap_or_default();
    let messages = match words.command {
        Command::Spec => return Ok(said(Payload::Spec(Box::new(source.spec())))),
        Command::Check => source.check(&config)?,
        Command::Discover => source.discover(&config)?,
        Command::Setup => {
            source.setup(&config, words.catalog.unwrap_or_default())?.unwrap_or_else(empty_stream)
        }
        Command::Teardown => source.teardown(&config)?.unwrap_or_else(empty_stream),
        Command::Read | Command::Write => {
            let catalog = words.catalog.unwrap_or_default();
            let input = input::pushed().await;
            source.read(&config, ReadRequest { catalog, state: words.state, input, durable: None })?
        }
    };
    Ok(messages)
}

fn asked_of_destination(
    destination: &dyn AnyDestination,
    words: &Words,
) -> Result<MessageStream, ConnectorError> {
    let config = words.config.clone().unwrap_or_default();
    let catalog = words.catalog.clone().unwrap_or_default();
    let messages = match words.command {
        Command::Spec => return Ok(said(Payload::Spec(Box::new(destination.spec())))),
        Command::Check => destination.check(&config)?,
        Command::Setup => destination.setup(&config, catalog)?.unwrap_or_else(empty_stream),
        Command::Teardown => destination.teardown(&config)?.unwrap_or_else(empty_stream),
        Command::Discover | Command::Read | Command::Write => {
            let lines = read_messages(tokio::io::stdin());
            let input =
                lines.map(|line| line.map_err(|error| ConnectorError::config(format!("stdin: {error}"))));
            destination.write(&config, WriteRequest { catalog, input: input.boxed(), sync_id: None })?
        }
    };
    Ok(messages)
}

fn said(payload: Payload) -> MessageStream {
    crate::once(async move { Ok(Message::from(payload)) })
}
