//! What an Airbyte source says besides what it was asked for: its log, and what went wrong.

use protocol::{ConnectorError, ErrorKind, Log, LogLevel, Message, Payload};
use serde_json::{Map, Value};

use super::secrets::Secrets;
use super::wire::{self, Descriptor, Line, TraceError};

/// Most that is logged of a line that is no message.
const SHOWN: usize = 1000;

/// The types that a source's messages have.
const KINDS: [&str; 8] =
    ["RECORD", "STATE", "LOG", "TRACE", "CATALOG", "SPEC", "CONNECTION_STATUS", "CONTROL"];

/// Turns words into log messages, their secrets hidden, and remembers why the source failed.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) secrets: Secrets,
    /// The failure of the source as a whole that it told last.
    failure: Option<(ErrorKind, String)>,
}

/// What a line says, once the words are taken out. Made for each line and taken apart at once, so that a box would cost more than its size.
#[expect(clippy::large_enum_variant, reason = "it does not outlive the line")]
pub(super) enum Heard<'l> {
    Said(Line<'l>),
    /// A stream failed, for this reason.
    StreamFailed(Descriptor, String),
    /// There is no more to it than a line of the log.
    Nothing,
}

impl Words {
    pub(super) fn new(secrets: Secrets) -> Words {
        Words { secrets, failure: None }
    }

    /// Reads a line; what is for the log goes to `out`.
    pub(super) fn hear<'l>(&mut self, text: &'l [u8], out: &mut Vec<Message>) -> Heard<'l> {
        let Ok(line) = serde_json::from_slice::<Line<'l>>(text) else {
            // Airbyte's platform takes for a line of the log what is no message, and connectors rely on it.
            let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
            out.push(Message::log(LogLevel::Info, self.secrets.hide(&shown)));
            return Heard::Nothing;
        };
        if !KINDS.contains(&line.kind.as_ref()) {
            let text = format!("a message of type {:.100} means nothing to this engine", line.kind);
            out.push(Message::log(LogLevel::Debug, text));
            return Heard::Nothing;
        }
        if let Some(log) = &line.log {
            out.push(self.log(log));
            return Heard::Nothing;
        }
        let Some(trace) = &line.trace else { return Heard::Said(line) };
        if let Some(error) = &trace.error {
            let text = self.secrets.hide(&error.message);
            out.push(self.failed(error, &text));
            return match &error.stream_descriptor {
                Some(stream) => Heard::StreamFailed(stream.clone(), text),
                None => {
                    self.failure = Some((kind(error), text));
                    Heard::Nothing
                }
            };
        }
        if let Some(estimate) = &trace.estimate {
            let name = estimate.get("name").and_then(Value::as_str).unwrap_or("the source");
            out.push(log(LogLevel::Info, format!("estimate of {name}"), estimate.clone()));
            return Heard::Nothing;
        }
        Heard::Said(line)
    }

    fn log(&self, said: &wire::Log) -> Message {
        let mut data = Map::new();
        if let Some(trace) = &said.stack_trace {
            data.insert("stack_trace".to_owned(), self.secrets.hide(trace).into());
        }
        log(said.level(), self.secrets.hide(&said.message), data)
    }

    fn failed(&self, error: &TraceError, text: &str) -> Message {
        let mut data = Map::new();
        for (name, value) in [
            ("internal_message", &error.internal_message),
            ("stack_trace", &error.stack_trace),
            ("failure_type", &error.failure_type),
        ] {
            if let Some(value) = value {
                data.insert(name.to_owned(), self.secrets.hide(value).into());
            }
        }
        if let Some(stream) = &error.stream_descriptor {
            data.insert("stream".to_owned(), super::catalog::our_name(stream).into());
        }
        log(LogLevel::Error, text.to_owned(), data)
    }

    /// How the command failed: in the source's own words, where it has any.
    pub(super) fn failure(&mut self, ended: Result<(), ConnectorError>) -> Option<ConnectorError> {
        match (self.failure.take(), ended) {
            (None, Ok(())) => None,
            (None, Err(error)) => Some(error),
            (Some((kind, text)), Ok(())) => Some(ConnectorError::new(kind, text)),
            (Some((kind, text)), Err(error)) => Some(ConnectorError::new(kind, text).caused_by(error)),
        }
    }
}

fn log(level: LogLevel, message: String, data: Map<String, Value>) -> Message {
    let data = (!data.is_empty()).then_some(data);
    Payload::Log(Log { level, message, data }).into()
}

fn kind(error: &TraceError) -> ErrorKind {
    match error.failure_type.as_deref() {
        Some("config_error") => ErrorKind::Config,
        Some("transient_error") => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    }
}
