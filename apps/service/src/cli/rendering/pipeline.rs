//! What of a pipeline is shown.

use std::collections::BTreeMap;

use protocol::{ConnectorConfig, Timestamp, counted};
use serde::Deserialize;
use terminal::display::figures::{count, rate};

use super::time::{ago, span};

/// A pipeline, as the API tells of it.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Pipeline {
    pub(in crate::cli) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) source: ConnectorConfig,
    pub(super) destination: ConnectorConfig,
    #[serde(default)]
    pub(super) streams: Option<Vec<Stream>>,
    pub(super) desired_status: String,
    pub(in crate::cli) status: String,
    #[serde(default)]
    pub(super) working: Option<String>,
    #[serde(default)]
    pub(super) error: Option<Trouble>,
    #[serde(default)]
    pub(super) failed_streams: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) progress: Option<Progress>,
    #[serde(default)]
    pub(super) last_success_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) last_reconciled_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) last_reconciled_repairs: Option<u64>,
    #[serde(default)]
    pub(super) lag_seconds: Option<u64>,
    #[serde(default)]
    pub(super) waiting_deliveries: u64,
    #[serde(default)]
    pub(super) version: Option<i64>,
    #[serde(default)]
    pub(super) webhook_path: Option<String>,
    #[serde(default)]
    pub(super) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) updated_at: Option<Timestamp>,
}

/// A stream that was chosen.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stream {
    pub(super) name: String,
    #[serde(default)]
    pub(super) fields: Option<Vec<String>>,
}

/// Why a pipeline does not get on.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Trouble {
    pub(super) stage: String,
    pub(super) message: String,
    pub(super) lasting: bool,
    pub(super) attempts: u32,
    pub(super) since: Timestamp,
    pub(super) retry_at: Timestamp,
}

/// How far a run is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Progress {
    pub(super) records: u64,
    pub(super) records_per_second: f64,
    pub(super) streams: u64,
    pub(super) streams_done: u64,
    pub(super) streams_failed: u64,
    pub(super) started_at: Timestamp,
}

impl Pipeline {
    /// Where it stands, in words: the status, unless the user wants what is not done yet.
    pub(super) fn state(&self) -> &str {
        match (self.desired_status.as_str(), self.status.as_str()) {
            ("paused", status) if status != "paused" && status != "error" => "pausing",
            (_, status) => status,
        }
    }

    /// `stripe → postgres`.
    pub(super) fn route(&self) -> String {
        format!("{} → {}", self.source.connector, self.destination.connector)
    }

    /// `12,345 records, 1,234/s, 12 of 74 streams, 1 failed, started 3 min ago`.
    pub(super) fn progress_line(&self, now: Timestamp) -> Option<String> {
        let progress = self.progress.as_ref()?;
        let mut parts = vec![counted(count(progress.records), "record")];
        if self.status == "backfill" && progress.records_per_second > 0.0 {
            parts.push(format!("{}/s", rate(progress.records_per_second)));
        }
        parts.push(format!("{} of {}", progress.streams_done, counted(progress.streams, "stream")));
        if progress.streams_failed > 0 {
            parts.push(format!("{} failed", progress.streams_failed));
        }
        parts.push(format!("started {}", ago(progress.started_at, now)));
        Some(parts.join(", "))
    }

    /// How current the copy is.
    pub(super) fn currency(&self) -> Option<String> {
        let lag = self.lag_seconds?;
        let mut line = format!("current to {} ago", span(lag));
        match self.waiting_deliveries {
            0 => {}
            1 => line += ", 1 webhook waits",
            waiting => line += &format!(", {} webhooks wait", count(waiting)),
        }
        Some(line)
    }
}

#[cfg(test)]
pub(super) fn sample(change: impl FnOnce(&mut serde_json::Value)) -> Pipeline {
    let mut value = serde_json::json!({
        "id": "pipe_one",
        "source": {"type": "stripe", "stripe": {"api_key": "[set sha256:1a2b3c4d]", "rate_limit": 20}},
        "destination": {"type": "postgres", "postgres": {"url": "postgres://u:[set]@h/d", "proxy": {"port": 1}}},
        "desired_status": "active", "status": "backfill", "version": 3, "working": "backfill",
        "created_at": "2026-11-29T07:00:00.000Z", "updated_at": "2026-11-29T07:59:00.000Z",
        "progress": {
            "records": 12345, "records_per_second": 812.4, "streams": 74, "streams_done": 12, "streams_failed": 0,
            "started_at": "2026-11-29T07:56:00.000Z", "elapsed_ms": 240_000,
        },
        "waiting_deliveries": 0, "webhook_path": "/webhooks/pipe_one",
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

#[cfg(test)]
pub(super) fn noon() -> Timestamp {
    "2026-11-29T08:00:00.000Z".parse().unwrap()
}
