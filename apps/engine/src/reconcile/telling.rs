//! A comparison as messages, for whoever is elsewhere.
//!
//! Its end is no `eof`, which is a sync's, and a `type` of its own would be an error to readers that do not know it. So what was
//! found travels in the `data` of `log` messages of the engine: whoever does not look for it hears a sentence.

use futures::StreamExt;
use protocol::{Log, LogLevel, Message, Payload, counted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Reconcile;
use super::report::{Outcome, ReconcileReport, StreamReport};
use crate::read::from_engine;
use crate::{Engine, EngineStream};

/// What is heard of a comparison.
pub(crate) enum Told {
    /// A stream is done, or stopped.
    Stream {
        report: StreamReport,
        /// Requests that were made up to here.
        requests: u64,
    },
    /// All of it is over.
    Whole(ReconcileReport),
}

/// What a `log` message of a comparison has in its `data`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReconcileData {
    /// How a stream compares that is done, or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream_report: Option<StreamReport>,
    /// Requests to the source so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
    /// How everything compares; nothing comes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reconcile_report: Option<ReconcileReport>,
}

const ENGINE: &str = "engine";

impl Engine {
    /// Compares, and tells by messages how it goes: of each stream, and of the whole at the end.
    pub fn pipeline_reconcile(&self, request: Reconcile) -> EngineStream {
        let engine = self.clone();
        let told = self.comparing(request);
        told.map(move |told| told.map(|told| engine.stamp(told.message()))).boxed()
    }
}

impl Told {
    fn message(self) -> Message {
        let (level, message) = self.said();
        let data = match self {
            Told::Stream { report, requests } => ReconcileData {
                stream_report: Some(report),
                requests: Some(requests),
                reconcile_report: None,
            },
            Told::Whole(report) => {
                ReconcileData { reconcile_report: Some(report), ..ReconcileData::default() }
            }
        };
        let data = match serde_json::to_value(data) {
            Ok(Value::Object(data)) => data,
            // What is serialised here is plain JSON of ours.
            _ => Map::new(),
        };
        from_engine(Payload::Log(Log { level, message, data: Some(data) }))
    }

    /// What a message of an engine tells of a comparison, if it is one that does.
    pub(crate) fn of(message: &Message) -> Option<Told> {
        // What connectors log comes without a name.
        let Payload::Log(log) = &message.payload else { return None };
        if message.emitted_by.as_deref() != Some(ENGINE) {
            return None;
        }
        let data = Value::Object(log.data.clone()?);
        let ReconcileData { stream_report, requests, reconcile_report } =
            serde_json::from_value(data).ok()?;
        match (reconcile_report, stream_report) {
            (Some(report), _) => Some(Told::Whole(report)),
            (None, Some(report)) => Some(Told::Stream { report, requests: requests.unwrap_or_default() }),
            (None, None) => None,
        }
    }

    /// The same in a sentence.
    fn said(&self) -> (LogLevel, String) {
        match self {
            Told::Stream { report, .. } => {
                let (name, objects) = (&report.stream, counted(report.read, "object"));
                match &report.outcome {
                    Outcome::Compared if report.is_equal() => {
                        (LogLevel::Info, format!("{name}: {objects}, equal"))
                    }
                    Outcome::Compared => {
                        let differ: u64 = report.differences().iter().map(|(_, found)| found.open()).sum();
                        (LogLevel::Info, format!("{name}: {objects}, {differ} different"))
                    }
                    Outcome::Skipped { reason } => (LogLevel::Info, format!("{name}: skipped: {reason}")),
                    Outcome::Unfinished { reason } => {
                        (LogLevel::Info, format!("{name}: not finished: {reason}"))
                    }
                    Outcome::Failed { reason } => (LogLevel::Warn, format!("{name}: failed: {reason}")),
                }
            }
            Told::Whole(report) => {
                let verdict = match (report.equal, report.finished) {
                    (true, _) => "equal",
                    (false, true) => "not equal",
                    (false, false) => "not finished",
                };
                let read: u64 = report.streams.iter().map(|stream| stream.read).sum();
                let objects = counted(read, "object");
                (LogLevel::Info, format!("Compared with the source: {verdict}, {objects}"))
            }
        }
    }
}
