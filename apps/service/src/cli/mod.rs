//! The command line. Only here, and below, are environment variables, terminals and signals known.

mod args;
mod client;
mod generated;
mod opening;
#[cfg(test)]
mod packaging;
mod pages;
mod pipelines;
mod rendering;
mod serve;
mod shorthand;
mod streaming;
#[cfg(feature = "temporal")]
mod temporal;
mod tokens;
mod voice;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use logger::{Format, Logging, redact_text};
use terminal::failure;

use args::{Cli, Command};
use client::Client;
use failure::Failure;
use shorthand::Shorthand;
use voice::Voice;

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
    let (flags, words) = match shorthand::extract(std::env::args_os().collect()) {
        Ok(extracted) => extracted,
        Err(failure) => return told(&failure),
    };
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return answer_usage(&error),
    };
    if let Some(flag) = flags.first().filter(|_| !cli.command.takes_connectors()) {
        return told(&Failure::usage(format!(
            "{} is for `pipelines create`, `update`, `get`, `sync` and `check-new`",
            flag.flag
        )));
    }
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
    let done = runtime.block_on(Box::pin(run(cli, &flags)));
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => told(&failure),
    }
}

async fn run(cli: Cli, flags: &[Shorthand]) -> Result<(), Failure> {
    let voice = Voice::open(cli.json, cli.plain);
    let json = voice.json;
    match cli.command {
        Command::Serve(args) => Box::pin(serve::serve(&cli.place, &args)).await,
        Command::Worker(args) => Box::pin(serve::worker(&cli.place, &args)).await,
        Command::Webhook(args) => serve::webhook(&cli.place, &args).await,
        Command::Pipelines { command } => {
            let client = Client::open(&cli.place, &cli.remote, &voice).await?;
            let context = pipelines::Context { client: &client, voice: &voice, flags };
            Box::pin(pipelines::run(command, &context)).await
        }
        Command::Api(args) => {
            let client = Client::open(&cli.place, &cli.remote, &voice).await?;
            pages::api(&args, &client, &voice).await
        }
        Command::Tokens { command } => tokens::tokens(&cli.place, command, json).await,
        Command::Keys { command } => tokens::keys(&cli.place, command, json).await,
        Command::Openapi => {
            say(&serde_json::to_string_pretty(&opening::document()).unwrap_or_default());
            Ok(())
        }
        Command::Completions { shell } => {
            pages::completions(shell, &voice);
            Ok(())
        }
        Command::Man { words } => pages::manual(&words, &voice),
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
    // What the API refuses is told as its answer.
    let usual = if cli.command.is_server() { "info" } else { "warn,engine::limits=error,server=error" };
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
