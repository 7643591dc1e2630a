//! `sync-pretty-log`: shows messages and log lines as they come, for people.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use logger::Prettifier;
use protocol::LogLevel;

/// Reads NDJSON from stdin, and writes it for people to stdout. Lines that are no messages pass as they are
#[derive(Debug, Parser)]
#[command(name = "sync-pretty-log", version, max_term_width = 100)]
struct Args {
    /// Leave out what matters less
    #[arg(long, value_enum, default_value = "debug")]
    level: Level,
    /// Leave out progress
    #[arg(long)]
    no_progress: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let level = match args.level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match copy(Prettifier { level, progress: !args.no_progress, colour }) {
        // Whoever reads may go away.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn copy(prettifier: Prettifier) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some(text) = prettifier.line(&String::from_utf8_lossy(&line)) {
            writeln!(output, "{text}")?;
        }
        line.clear();
    }
    Ok(())
}
