//! Messages on stdout.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use futures::{FutureExt, StreamExt};

use crate::{ConnectorError, MessageStream, encode_line};

/// As much is written at once where messages come faster than they are read.
const AT_ONCE: usize = 64 << 10;

/// Writes the messages as they come. A reader that goes away ends the work.
pub(super) async fn copy(mut messages: MessageStream) -> ExitCode {
    let mut lines = Vec::new();
    loop {
        let message = match messages.next().now_or_never() {
            Some(message) => message,
            // Whoever reads is not kept waiting for what comes later.
            None if write(&mut lines).is_err() => return ExitCode::FAILURE,
            None => messages.next().await,
        };
        match message {
            None => break,
            Some(Ok(message)) => {
                if let Err(error) = encode_line(&message, &mut lines) {
                    return failed(&ConnectorError::internal("a message cannot be written").caused_by(error));
                }
                if lines.len() >= AT_ONCE && write(&mut lines).is_err() {
                    return ExitCode::FAILURE;
                }
            }
            Some(Err(error)) => {
                // What was said before the failure counts; whether somebody reads it does not matter any more.
                let _ = write(&mut lines);
                return failed(&error);
            }
        }
    }
    match write(&mut lines) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn write(lines: &mut Vec<u8>) -> io::Result<()> {
    // Not kept: the log writes its lines to stdout, too.
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    lines.clear();
    stdout.flush()
}

/// Says on stderr why it failed, with its causes.
pub fn failed(error: &ConnectorError) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}
