//! The log of a pipeline, written in small lots beside the work.

use std::sync::Arc;

use logger::RequestLog;
use protocol::{Log, LogLevel, Message, Payload, Timestamp};
use serde_json::{Map, Value};

use crate::store::{Entry, Store};

/// Members of an entry's data that say whose it is: its columns say that.
const IDS: [&str; 3] = ["sync_engine_request_id", "action_id", "run_id"];

/// Gathers entries until they are flushed.
pub(super) struct Journal {
    pipeline: String,
    run_id: Option<String>,
    entries: Vec<Entry>,
    /// What the engine logs while it works for the pipeline.
    pub(super) log: Arc<RequestLog>,
}

impl Journal {
    pub(super) fn new(pipeline: &str, run_id: Option<&str>) -> Journal {
        let log = RequestLog::new(uuid::Uuid::new_v4().to_string(), None);
        if let Some(run_id) = run_id {
            log.set_run_id(run_id);
        }
        let run_id = run_id.map(str::to_owned);
        Journal { pipeline: pipeline.to_owned(), run_id, entries: Vec::new(), log }
    }

    /// Adds a sentence.
    pub(super) fn say(&mut self, level: LogLevel, message: impl Into<String>) {
        self.add(&Log { level, message: message.into(), data: None }, None);
    }

    /// Adds what a connector says.
    pub(super) fn add(&mut self, log: &Log, at: Option<Timestamp>) {
        let mut data = log.data.clone().unwrap_or_default();
        data.retain(|name, _| !IDS.contains(&name.as_str()));
        let mut data = Value::Object(data);
        logger::redact_json(&mut data);
        let data: Option<Map<String, Value>> = match data {
            Value::Object(data) if !data.is_empty() => Some(data),
            _ => None,
        };
        self.entries.push(Entry {
            sequence: 0,
            run_id: self.run_id.clone(),
            at: at.unwrap_or_else(Timestamp::now),
            level: log.level,
            message: logger::redact_text(&log.message).into_owned(),
            data,
        });
    }

    /// Writes what was gathered. The log is for reading: where it cannot be written the work goes on.
    pub(super) async fn flush(&mut self, store: &Store) {
        for message in self.log.take() {
            if let Message { ts, payload: Payload::Log(log), .. } = message
                && log.level > LogLevel::Debug
            {
                self.add(&log, ts);
            }
        }
        if self.entries.is_empty() {
            return;
        }
        let entries = std::mem::take(&mut self.entries);
        if let Err(error) = store.log(&self.pipeline, &entries).await {
            tracing::warn!(pipeline = self.pipeline, error = %error, "the log of a pipeline cannot be written");
        }
    }
}
