//! The bodies of the operations, read member by member so that each mistake is told with its place.

use std::time::Duration;

use http_api::{ApiError, Issue, Issues, Members, Step};
use protocol::{ConnectorConfig, Message, Payload, PipelineConfig, RawJson, SyncState, Timestamp};
use serde_json::Value;

use super::pipeline;
use crate::{Engine, Role, Side, TimeLimits};

/// A body, and what is wrong with it so far.
pub(super) struct Body<'a> {
    engine: &'a Engine,
    members: Members,
    issues: Issues,
}

/// What is pushed into a source, as the body holds it.
pub(super) type Pushed = Vec<RawJson>;

impl<'a> Body<'a> {
    pub(super) fn new(engine: &'a Engine, members: Members) -> Body<'a> {
        Body { engine, members, issues: Issues::default() }
    }

    /// Fails with everything that was found wrong.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.issues.0.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.issues)) }
    }

    /// The `pipeline`, its connectors known and their configurations right.
    pub(super) fn pipeline(&mut self) -> Option<PipelineConfig> {
        let value = self.required("pipeline", "object")?;
        pipeline::pipeline(self.engine, &value, &mut self.issues)
    }

    /// The `source`, of any type: what there is not fails in the answer.
    pub(super) fn source(&mut self) -> Option<ConnectorConfig> {
        let value = self.required("source", "object")?;
        pipeline::named(&value, vec!["source".into()], &mut self.issues)
    }

    /// The side that `only` names.
    pub(super) fn side(&mut self) -> Side {
        match self.optional("only").as_ref().map(|value| value.as_str()) {
            None => Side::Both,
            Some(Some("source")) => Side::Only(Role::Source),
            Some(Some("destination")) => Side::Only(Role::Destination),
            Some(_) => {
                let message = r#"Invalid option: expected one of "source"|"destination""#.to_owned();
                self.issues.0.push(Issue { code: "invalid_value", path: vec!["only".into()], message });
                Side::Both
            }
        }
    }

    /// A number of seconds, above zero.
    pub(super) fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        let value = self.optional(name)?;
        let Some(seconds) = value.as_f64() else {
            return self.issues.note(Issue::invalid_type(vec![name.into()], "number", kind(&value)));
        };
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
        limit.or_else(|| self.issues.note(too_small(name, "a number of seconds >0")))
    }

    /// The two limits of time.
    pub(super) fn limits(&mut self) -> TimeLimits {
        TimeLimits { hard: self.seconds("time_limit"), soft: self.seconds("soft_time_limit") }
    }

    /// A whole number above zero.
    pub(super) fn count(&mut self, name: &'static str) -> Option<u64> {
        let value = self.optional(name)?;
        if !value.is_number() {
            return self.issues.note(Issue::invalid_type(vec![name.into()], "int", kind(&value)));
        }
        value.as_u64().filter(|count| *count > 0).or_else(|| self.issues.note(too_small(name, "int >0")))
    }

    /// Whether something is wanted; it is not where nothing is said of it.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.optional(name) {
            None => false,
            Some(Value::Bool(wanted)) => wanted,
            Some(other) => {
                self.issues.0.push(Issue::invalid_type(vec![name.into()], "boolean", kind(&other)));
                false
            }
        }
    }

    /// A date, or a date and a time.
    pub(super) fn moment(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        match Timestamp::parse_bound(&text) {
            Ok(moment) => Some(moment),
            Err(error) => {
                let message = format!("Invalid input: {error}");
                self.issues.note(Issue { code: "invalid_value", path: vec![name.into()], message })
            }
        }
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.optional(name)? {
            Value::String(text) => Some(text),
            other => self.issues.note(Issue::invalid_type(vec![name.into()], "string", kind(&other))),
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, name: &'static str) -> Option<String> {
        match self.required(name, "string")? {
            Value::String(text) => Some(text),
            other => self.issues.note(Issue::invalid_type(vec![name.into()], "string", kind(&other))),
        }
    }

    /// The `state`, whole.
    pub(super) fn state(&mut self) -> Option<SyncState> {
        let state = self.members.remove("state")?;
        match serde_json::from_slice(state.as_bytes()) {
            Ok(state) => Some(state),
            Err(error) => {
                let text = format!("Invalid input: expected a state as an earlier eof returned it: {error}");
                self.issues.note(Issue { code: "invalid_type", path: vec!["state".into()], message: text })
            }
        }
    }

    /// The messages in `stdin`, each as it was sent; `None` where there is no `stdin`.
    pub(super) fn stdin(&mut self) -> Option<Vec<(Message, RawJson)>> {
        let sent = self.members.remove("stdin")?;
        let items: Vec<RawJson> = match sent.read::<Vec<&serde_json::value::RawValue>>() {
            Ok(items) => {
                let whole = sent.to_bytes();
                items.into_iter().map(|item| RawJson::part_of(&whole, item)).collect()
            }
            Err(_) => {
                let received = serde_json::from_slice(sent.as_bytes()).unwrap_or(Value::Null);
                return self.issues.note(Issue::invalid_type(vec!["stdin".into()], "array", kind(&received)));
            }
        };
        let mut messages = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match serde_json::from_slice::<Message>(item.as_bytes()) {
                Ok(message) => messages.push((message, item)),
                Err(error) => {
                    let path: Vec<Step> = vec!["stdin".into(), index.into()];
                    let message = format!("Invalid input: not a message: {error}");
                    self.issues.0.push(Issue { code: "invalid_union", path, message });
                }
            }
        }
        Some(messages)
    }

    /// The messages in `stdin`, which must be there.
    pub(super) fn required_stdin(&mut self) -> Option<Vec<Message>> {
        if !self.members.contains_key("stdin") {
            return self.issues.note(Issue::invalid_type(vec!["stdin".into()], "array", "undefined"));
        }
        Some(self.stdin()?.into_iter().map(|(message, _)| message).collect())
    }

    /// What `stdin` pushes into a source: payloads of `source_input`, and other messages as they are.
    pub(super) fn pushed(&mut self) -> Option<Pushed> {
        Some(self.stdin()?.into_iter().map(|(message, text)| unwrapped(message, text)).collect())
    }

    /// Says that a member and a stream of lines exclude each other.
    pub(super) fn refuse(&mut self, name: &'static str, because: &str) {
        if self.members.contains_key(name) {
            self.issues.0.push(Issue::custom(vec![name.into()], because));
        }
    }

    fn optional(&mut self, name: &str) -> Option<Value> {
        // Its text was read as JSON before.
        self.members.remove(name).map(|text| serde_json::from_slice(text.as_bytes()).unwrap_or(Value::Null))
    }

    fn required(&mut self, name: &'static str, expected: &str) -> Option<Value> {
        match self.optional(name) {
            None => self.issues.note(Issue::invalid_type(vec![name.into()], expected, "undefined")),
            value => value,
        }
    }
}

/// What a source is given of a message that is pushed into it.
pub(super) fn unwrapped(message: Message, text: RawJson) -> RawJson {
    match message.payload {
        Payload::SourceInput(input) => input,
        _ => text,
    }
}

fn too_small(name: &'static str, expected: &str) -> Issue {
    let message = format!("Too small: expected {expected}");
    Issue { code: "too_small", path: vec![name.into()], message }
}

/// The type of a value, as issues name it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
