//! The command line. Only here, and below, are environment variables, terminals and signals known.

mod args;
mod commands;
mod display;
mod documents;
mod elsewhere;
mod generated;
mod job;
mod session;
mod settings;
mod shared_limit;
mod worker;

#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use logger::redact_text;
use protocol::{LogLevel, Message};
use terminal::{environment, failure, interrupt, output};

use args::Cli;
use failure::Failure;
use output::Output;
use session::{Mode, Session};

/// Reads the command line, does what it says, and answers the exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer_usage(&error),
    };
    // TLS needs one provider per process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let session = Session::open(&cli.voice, &cli.command).and_then(|mut session| {
        session.search =
            engine::program::search(&cli.programs, &session.environment, cli.command.says_what_runs())?;
        Ok(session)
    });
    let session = match session {
        Ok(session) => session,
        Err(failure) => {
            output::Screen::new(false, false).error(failure.text().unwrap_or_default());
            return failure.exit_code();
        }
    };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))
        .and_then(|runtime| {
            let result = runtime.block_on(commands::run(cli.command, &session));
            // A writer that is stuck must not keep the process.
            runtime.shutdown_timeout(Duration::from_secs(2));
            result
        });
    session.screen.clear();
    let result = result.and_then(|()| match session.output.failure() {
        None => Ok(()),
        Some(error) => Err(Failure::failed(format!("not everything could be written to stdout: {error}"))),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                if session.mode == Mode::Json {
                    // Whoever reads the messages learns of it, too.
                    session.output.message(&Message::log(LogLevel::Error, text));
                }
                session.screen.error(text);
            }
            failure.exit_code()
        }
    }
}

/// Help and version go to stdout; what is wrong with the command line to stderr, without quoting
/// what may be a key.
fn answer_usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        Output::default().line(text.to_string().trim_end());
        return ExitCode::SUCCESS;
    }
    let screen = output::Screen::new(false, false);
    screen.line(redact_text(&text.to_string()).trim_end());
    Failure::Usage(String::new()).exit_code()
}
