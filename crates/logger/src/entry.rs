//! One event of the log, and how it reads.

use std::error::Error;
use std::fmt::{self, Write as _};

use protocol::{Log, LogLevel, Message, Payload, Timestamp};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::REDACTED;
use crate::redact::{is_secret_name, redact_json, redact_text};

/// One event, with its secrets hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// How much it matters; `trace` counts as debug.
    pub level: LogLevel,
    /// Where in the program it happened.
    pub target: String,
    /// The sentence.
    pub message: String,
    /// What came with it.
    pub fields: Map<String, Value>,
}

/// How an entry becomes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, sentence, fields.
    Pretty {
        /// Whether the level is coloured.
        colour: bool,
    },
    /// For log collectors: one JSON object.
    Json,
    /// For readers of the protocol: a `log` message.
    Protocol,
}

impl Entry {
    /// What `event` says, at the time `at`.
    pub fn of(event: &Event<'_>, at: Timestamp) -> Entry {
        let mut gathered = Gathered::default();
        event.record(&mut gathered);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG | Level::TRACE => LogLevel::Debug,
        };
        Entry::new(at, level, event.metadata().target(), &gathered.message, gathered.fields)
    }

    /// An entry made of its parts; hides their secrets.
    pub fn new(
        at: Timestamp,
        level: LogLevel,
        target: &str,
        message: &str,
        mut fields: Map<String, Value>,
    ) -> Entry {
        for (name, value) in &mut fields {
            if is_secret_name(name) {
                *value = Value::String(REDACTED.to_owned());
            } else {
                redact_json(value);
            }
        }
        Entry { at, level, target: target.to_owned(), message: redact_text(message).into_owned(), fields }
    }

    /// The entry as one line, without a line feed.
    pub fn line(&self, format: Format) -> String {
        match format {
            Format::Pretty { colour } => self.pretty(colour),
            Format::Json => self.json().to_string(),
            Format::Protocol => {
                let message = self.to_message();
                serde_json::to_string(&message).unwrap_or_else(|_| self.json().to_string())
            }
        }
    }

    /// The entry as a `log` message. Its data names where it happened, as `name`.
    pub fn to_message(&self) -> Message {
        let mut data = Map::new();
        data.insert("name".to_owned(), Value::String(self.target.clone()));
        data.extend(self.fields.clone());
        let log = Log { level: self.level, message: self.message.clone(), data: Some(data) };
        Message { payload: Payload::Log(log), emitted_by: None, ts: Some(self.at) }
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("time".to_owned(), json!(self.at));
        object.insert("level".to_owned(), json!(self.level));
        object.insert("name".to_owned(), json!(self.target));
        object.insert("message".to_owned(), json!(self.message));
        for (name, value) in &self.fields {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(object)
    }

    fn pretty(&self, colour: bool) -> String {
        let (word, code) = match self.level {
            LogLevel::Error => ("error", "31"),
            LogLevel::Warn => ("warning", "33"),
            LogLevel::Info => ("info", "32"),
            LogLevel::Debug => ("debug", "2"),
        };
        let time = self.at.to_string();
        let clock = time.get(11..19).unwrap_or(&time);
        let mut line = if colour {
            format!("\u{1b}[2m{clock}\u{1b}[0m \u{1b}[{code}m{word}\u{1b}[0m: {}", one_line(&self.message))
        } else {
            format!("{clock} {word}: {}", one_line(&self.message))
        };
        for (name, value) in &self.fields {
            let shown = match value {
                Value::String(text) => one_line(text),
                other => other.to_string(),
            };
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}={shown}");
        }
        line
    }
}

/// Control characters would let a remote text draw on the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[derive(Default)]
struct Gathered {
    message: String,
    fields: Map<String, Value>,
}

impl Gathered {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Gathered {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.put(field, Value::String(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let mut fields = Map::new();
        fields.insert("stream".to_owned(), json!("charge"));
        fields.insert("api_key".to_owned(), json!("whatever"));
        fields.insert("rows".to_owned(), json!(3));
        let at = "2026-01-02T03:04:05.678Z".parse().unwrap();
        Entry::new(at, LogLevel::Warn, "engine::sync", "key sk_test_abc\nrefused", fields)
    }

    #[test]
    fn reads_well_in_every_format() {
        let lines = [Format::Pretty { colour: false }, Format::Json, Format::Protocol]
            .map(|format| entry().line(format))
            .join("\n");
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn the_colour_is_only_on_the_level() {
        let line = entry().line(Format::Pretty { colour: true });
        assert!(line.contains("\u{1b}[33mwarning\u{1b}[0m: key"), "{line:?}");
    }

    #[test]
    fn a_protocol_line_is_a_message() {
        let line = entry().line(Format::Protocol);
        let message: Message = serde_json::from_str(&line).unwrap();
        assert_eq!(message, entry().to_message());
    }
}
