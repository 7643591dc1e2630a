//! The command line. Only here, and below, are environment variables, terminals and signals known.

mod args;
mod client;
mod failure;
mod opening;
mod serve;
mod signals;
mod tokens;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use logger::{Format, Logging, redact_text};

use args::{Cli, Command};
use failure::Failure;

/// Reads the command line, does what it says, and answers the exit code.
pub(crate) fn main() -> ExitCode {
    // Variables of .env are as those of the process, which come first.
    if let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        return told(&Failure::usage(
            ".env cannot be read: each line is NAME=value, values with spaces in quotes",
        ));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer_usage(&error),
    };
    if let Err(error) = install_logging(&cli) {
        return told(&error);
    }
    // TLS needs one provider per process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return told(&Failure::failed(format!("the runtime cannot be started: {error}"))),
    };
    let done = runtime.block_on(Box::pin(run(cli)));
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => told(&failure),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let json = cli.json || !std::io::stdout().is_terminal();
    match cli.command {
        Command::Serve(args) => Box::pin(serve::serve(&cli.place, &args)).await,
        Command::Webhook(args) => serve::webhook(&cli.place, &args).await,
        Command::Pipelines { .. } => Err(Failure::usage("ask the API at /pipelines")),
        Command::Tokens { command } => tokens::tokens(&cli.place, command, json).await,
        Command::Keys { command } => tokens::keys(&cli.place, command, json).await,
        Command::Openapi => {
            say(&serde_json::to_string_pretty(&opening::document()?).unwrap_or_default());
            Ok(())
        }
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "sync-service",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}

/// Writes a line to stdout. Whoever read along may be gone.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line for people to stderr.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", redact_text(line));
}

fn told(failure: &Failure) -> ExitCode {
    if let Some(text) = failure.text() {
        note(&format!("error: {text}"));
    }
    failure.exit_code()
}

fn install_logging(cli: &Cli) -> Result<(), Failure> {
    let terminal = std::io::stderr().is_terminal();
    let format = if terminal { Format::Pretty { colour: true } } else { Format::Json };
    let usual = if cli.command.is_server() { "info" } else { "warn" };
    let level = cli.log_level.clone().unwrap_or_else(|| usual.to_owned());
    let sink: Arc<dyn logger::LineSink> = Arc::new(|line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
    logger::install(Logging { level, format, sink })
        .map_err(|error| Failure::usage(format!("--log-level: {error}")))
}

/// Help and version go to stdout; what is wrong with the command line to stderr, without quoting what may be a key.
fn answer_usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        say(text.to_string().trim_end());
        return ExitCode::SUCCESS;
    }
    note(text.to_string().trim_end());
    Failure::Usage(String::new()).exit_code()
}
