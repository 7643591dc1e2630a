//! The two channels: data on stdout, words on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use logger::redact_text;
use protocol::{Message, Payload};

/// Stdout. A reader that goes away is not an error: what follows is dropped, and it is known. A disk that is full is one.
#[derive(Clone, Default)]
pub struct Output {
    closed: Arc<AtomicBool>,
    broken: Arc<OnceLock<String>>,
}

impl Output {
    /// Writes a line; `text` has no line feed at its end.
    pub fn line(&self, text: &str) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// Writes a message as one line, its secrets hidden.
    pub fn message(&self, message: &Message) {
        let mut line = Vec::new();
        let written = match &message.payload {
            // These are the source's data, and big; no configuration is in them.
            Payload::Record(_) | Payload::SourceState(_) | Payload::Catalog(_) => {
                protocol::encode_line(message, &mut line)
            }
            Payload::Control(_) => encode_redacted(message, &mut line, logger::redact_json),
            // States in an `eof` are under names of streams, which may sound like secrets.
            _ => encode_redacted(message, &mut line, logger::redact_texts),
        };
        match written {
            Ok(()) => self.bytes(&line),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a message cannot be written");
            }
        }
    }

    /// Whether nothing more can be written: the reader went away, or writing failed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Why not everything was written, unless the reader had enough.
    pub fn failure(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// Writes bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        if self.is_closed() {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            self.closed.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe {
                // The first one counts.
                let _ = self.broken.set(error.to_string());
            }
        }
    }
}

fn encode_redacted(
    message: &Message,
    line: &mut Vec<u8>,
    redact: fn(&mut serde_json::Value),
) -> Result<(), serde_json::Error> {
    let mut value = serde_json::to_value(message)?;
    redact(&mut value);
    serde_json::to_writer(&mut *line, &value)?;
    line.push(b'\n');
    Ok(())
}

/// Stderr: lines, and below them a live display where it is a terminal.
#[derive(Clone)]
pub struct Screen {
    live: Arc<Mutex<Option<ProgressBar>>>,
    quiet: bool,
    /// Whether words may be coloured.
    pub colour: bool,
}

impl Screen {
    /// Words for people on stderr. `quiet` leaves only errors.
    pub fn new(quiet: bool, colour: bool) -> Screen {
        Screen { live: Arc::default(), quiet, colour }
    }

    /// Says something, unless it is to be quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(&redact_text(text));
        }
    }

    /// Says what went wrong.
    pub fn error(&self, text: &str) {
        let word = if self.colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.line(&format!("{word}: {}", redact_text(text)));
    }

    /// Writes a line above the live display.
    pub fn line(&self, text: &str) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || {
            // Words that nobody can read any more are not worth failing for.
            let _ = writeln!(io::stderr().lock(), "{text}");
        };
        match &*live {
            Some(display) => display.suspend(write),
            None => write(),
        }
    }

    /// Shows these lines at the bottom, in place of those shown before.
    pub fn show(&self, lines: &[String]) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let display = live.get_or_insert_with(|| {
            // The display is redrawn by its owner at a steady pace, so every change is drawn.
            let target = ProgressDrawTarget::stderr_with_hz(20);
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(None, target).with_style(style)
        });
        display.set_message(lines.join("\n"));
    }

    /// Takes the live display away.
    pub fn clear(&self) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(display) = live.take() {
            display.finish_and_clear();
        }
    }

    /// Columns and lines of the terminal.
    pub fn size(&self) -> (usize, usize) {
        let (lines, columns) = console::Term::stderr().size();
        (usize::from(columns), usize::from(lines))
    }
}

/// Whether whoever reads stdout is a person at a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr can be drawn on.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var("TERM").as_deref() != Ok("dumb")
}
