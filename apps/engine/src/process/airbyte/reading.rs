//! From what `read` of an Airbyte source says to our messages. Pure: lines and the time come in.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    ConnectorError, ContentHash, LogLevel, Message, Payload, RawJson, Record, StreamStatus, Timestamp,
    counted,
};
use serde_json::value::RawValue;

use super::Translation;
use super::catalog::{Key, RAW_ID, Selected, VERSION};
use super::position;
use super::secrets::Secrets;
use super::wire::{self, Descriptor, Line};
use super::words::{Heard, Words};

/// The field by which sources that follow a database's log say that a record is gone.
pub(super) const DELETED_AT: &str = "_ab_cdc_deleted_at";

/// Why a stream failed whose source does not say it.
const NO_REASON: &str = "the source did not finish the stream, and does not say why";

/// How a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Started,
    /// It is over, and why may still be said.
    Incomplete,
    Ended,
}

#[derive(Debug)]
struct Tracked {
    selected: Selected,
    name: Arc<str>,
    stage: Stage,
    /// What went wrong with it, in the words that came last.
    error: Option<String>,
    failed: bool,
}

/// A read under way.
#[derive(Debug)]
pub(super) struct Reading {
    words: Words,
    streams: Vec<Tracked>,
    by_descriptor: HashMap<Descriptor, usize>,
    /// When it began: no record shows less than what there was then.
    began: Timestamp,
    foreign: u64,
}

impl Reading {
    pub(super) fn new(selected: Vec<Selected>, secrets: Secrets, began: Timestamp) -> Reading {
        let by_descriptor =
            selected.iter().enumerate().map(|(at, one)| (one.descriptor.clone(), at)).collect();
        let streams = selected.into_iter().map(|selected| Tracked {
            name: selected.name.as_str().into(),
            selected,
            stage: Stage::Waiting,
            error: None,
            failed: false,
        });
        Reading { words: Words::new(secrets), streams: streams.collect(), by_descriptor, began, foreign: 0 }
    }

    fn position(&self, descriptor: &Descriptor) -> Option<usize> {
        let found = self.by_descriptor.get(descriptor).copied();
        // An empty namespace is none.
        found.or_else(|| match descriptor.namespace.as_deref() {
            Some("") => self
                .by_descriptor
                .get(&Descriptor { namespace: None, name: descriptor.name.clone() })
                .copied(),
            _ => None,
        })
    }

    fn said(&mut self, line: Line<'_>, out: &mut Vec<Message>) {
        if let Some(record) = line.record {
            self.record(&record, out);
        } else if let Some(state) = line.state {
            let of = state.stream.as_ref().and_then(|one| self.position(&one.stream_descriptor));
            if let Some(at) = of {
                self.streams[at].start(out);
            }
            let find = |descriptor: &Descriptor| {
                self.position(descriptor).map(|at| self.streams[at].selected.clone())
            };
            out.extend(position::said(state, find));
        } else if let Some(status) = line.trace.and_then(|trace| trace.stream_status) {
            if let Some(at) = self.position(&status.stream_descriptor) {
                self.streams[at].status(&status.status, out);
            }
        } else if let Some(config) = line.control.and_then(|control| control.connector_config) {
            let source_config = config.config;
            out.push(Payload::Control(protocol::Control::SourceConfig { source_config }).into());
        }
    }

    fn record(&mut self, record: &wire::Record<'_>, out: &mut Vec<Message>) {
        let descriptor = Descriptor {
            name: record.stream.to_string(),
            namespace: record.namespace.as_ref().map(ToString::to_string),
        };
        let Some(at) = self.position(&descriptor) else {
            self.foreign += 1;
            return;
        };
        let stream = &mut self.streams[at];
        stream.start(out);
        match translated(record, stream, self.began) {
            Some(record) => out.push(Payload::Record(record).into()),
            None => stream.fail("a record of the source is no JSON object".to_owned(), out),
        }
    }
}

impl Tracked {
    fn start(&mut self, out: &mut Vec<Message>) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Started;
            let start = StreamStatus::Start { time_range: None, reason: None };
            out.push(Message::stream_status(&self.name, start));
        }
    }

    fn status(&mut self, status: &str, out: &mut Vec<Message>) {
        if self.stage == Stage::Ended {
            return;
        }
        self.start(out);
        match (status, self.error.take()) {
            ("COMPLETE", None) => self.complete(out),
            ("COMPLETE" | "INCOMPLETE", Some(error)) => self.fail(error, out),
            // The reason may come after it.
            ("INCOMPLETE", None) => self.stage = Stage::Incomplete,
            (_, error) => self.error = error,
        }
    }

    fn complete(&mut self, out: &mut Vec<Message>) {
        self.start(out);
        if let Some(state) = position::refreshed(&self.selected) {
            out.push(Message::stream_state(&self.name, state));
        }
        self.stage = Stage::Ended;
        out.push(Message::stream_status(&self.name, StreamStatus::Complete));
    }

    fn fail(&mut self, error: String, out: &mut Vec<Message>) {
        if self.stage != Stage::Ended {
            self.start(out);
            self.stage = Stage::Ended;
            self.failed = true;
            let error = if error.is_empty() { NO_REASON.to_owned() } else { error };
            out.push(Message::stream_status(&self.name, StreamStatus::Error { error }));
        }
    }
}

impl Translation for Reading {
    fn take(&mut self, line: &Bytes, out: &mut Vec<Message>) {
        match self.words.hear(line, out) {
            Heard::Said(line) => self.said(line, out),
            Heard::StreamFailed(descriptor, error) => {
                if let Some(at) = self.position(&descriptor) {
                    let stream = &mut self.streams[at];
                    match stream.stage {
                        Stage::Incomplete => stream.fail(error, out),
                        _ => stream.error = Some(error),
                    }
                }
            }
            Heard::Nothing => {}
        }
    }

    fn end(
        &mut self,
        ended: Result<(), ConnectorError>,
        out: &mut Vec<Message>,
    ) -> Result<(), ConnectorError> {
        if self.foreign > 0 {
            let verb = if self.foreign == 1 { "was" } else { "were" };
            let records = counted(self.foreign, "record");
            let text = format!("{records} of streams that were not asked for {verb} left out");
            out.push(Message::log(LogLevel::Warn, text));
        }
        let failure = self.words.failure(ended);
        for stream in self.streams.iter_mut().filter(|stream| stream.stage != Stage::Ended) {
            match (stream.error.take(), stream.stage, &failure) {
                (Some(error), _, _) => stream.fail(error, out),
                (None, Stage::Incomplete, Some(failure)) => stream.fail(failure.to_string(), out),
                (None, Stage::Incomplete, None) => stream.fail(NO_REASON.to_owned(), out),
                (None, _, None) => stream.complete(out),
                // What it might have said of this stream is not known.
                (None, _, Some(_)) => {}
            }
        }
        let all_told = self.streams.iter().all(|stream| stream.stage == Stage::Ended);
        let any_failed = self.streams.iter().any(|stream| stream.failed);
        match failure {
            // It fails because streams did, and of each it is known how it ended.
            Some(failure) if all_told && any_failed => {
                out.push(Message::log(LogLevel::Error, failure.to_string()));
                Ok(())
            }
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

/// Our record of Airbyte's: the object with its version and, where it needs one, its key. `None` where it is no object.
fn translated(record: &wire::Record<'_>, stream: &Tracked, began: Timestamp) -> Option<Record> {
    let text = record.data.get();
    let members = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut data = String::with_capacity(text.len() + 80);
    data.push('{');
    data.push_str(members);
    if !members.trim().is_empty() {
        data.push(',');
    }
    // Behind what the record says itself: of a repeated member the last counts.
    let _ = write!(data, "\"{VERSION}\":{}", began.unix_seconds());
    if let Some(id) = digest(text, &stream.selected.key) {
        let _ = write!(data, ",\"{RAW_ID}\":\"{id}\"");
    }
    data.push('}');
    let data = RawJson::from_trusted(data.into());
    let deleted = stream.selected.has_deletions
        && data.members([DELETED_AT]).ok().and_then(|[at]| at).is_some_and(|at| at.get() != "null");
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of any year are far below 2^53")]
    let emitted_at = Timestamp::from_unix_millis(record.emitted_at as i64);
    Some(Record { stream: Arc::clone(&stream.name), data, deleted, emitted_at })
}

/// The key of a record that has none of plain fields.
fn digest(text: &str, key: &Key) -> Option<ContentHash> {
    // Within another member, so that every member counts whatever its name.
    let of = |value: &str| Some(ContentHash::of(&RawJson::from_trusted(format!("{{\"r\":{value}}}").into())));
    match key {
        Key::Fields => None,
        Key::Whole => of(text),
        Key::Paths(paths) => {
            let values: Vec<&str> = paths.iter().map(|path| value_at(text, path).unwrap_or("null")).collect();
            of(&format!("[{}]", values.join(",")))
        }
    }
}

fn value_at<'t>(text: &'t str, path: &[String]) -> Option<&'t str> {
    path.iter().try_fold(text, |text, name| {
        let members: HashMap<String, &'t RawValue> = serde_json::from_str(text).ok()?;
        members.get(name).map(|value| value.get())
    })
}

#[cfg(test)]
mod tests;
