//! Messages of the protocol as lines for people.

use std::fmt::Write as _;

use protocol::{
    ConnectionState, Eof, Log, LogLevel, Message, Payload, ProgressPayload, StreamStatus, Timestamp, counted,
};

use crate::{Entry, Format};

/// Turns lines of a message stream, or of a log, into lines for people.
#[derive(Debug, Clone, Copy)]
pub struct Prettifier {
    /// What matters less is left out.
    pub level: LogLevel,
    /// Whether progress is shown.
    pub progress: bool,
    /// Whether levels are coloured.
    pub colour: bool,
}

impl Prettifier {
    /// What to show of `line`: `None` shows nothing. What is no message passes as it is, and so do messages that are data
    /// rather than words: records and catalogs.
    pub fn line(&self, line: &str) -> Option<String> {
        let line = line.trim_end_matches(['\r', '\n']);
        let Ok(message) = serde_json::from_str::<Message>(line) else { return Some(line.to_owned()) };
        let at = message.ts;
        let (level, text) = match message.payload {
            Payload::Log(log) => return self.entry(at, log),
            Payload::Progress(progress) if self.progress => (LogLevel::Info, told(&progress)),
            Payload::Progress(_) => return None,
            Payload::StreamStatus(status) => said(&status.stream, &status.status),
            Payload::ConnectionStatus(status) => {
                let failed = status.status == ConnectionState::Failed;
                let why = status.message.map(|why| format!(": {why}")).unwrap_or_default();
                let level = if failed { LogLevel::Error } else { LogLevel::Info };
                (level, format!("connection {}{why}", if failed { "failed" } else { "succeeded" }))
            }
            Payload::Eof(Eof::Sync(eof)) => {
                let more = if eof.has_more { ", with more to do" } else { "" };
                let status = format!("{:?}", eof.status).to_lowercase();
                (LogLevel::Info, format!("ended: {status}{more}; {}", told(&eof.run_progress)))
            }
            Payload::Eof(Eof::Read { has_more }) => {
                (LogLevel::Info, if has_more { "ended, with more to do" } else { "ended" }.to_owned())
            }
            Payload::SourceState(_) => (LogLevel::Debug, format!("state: {line}")),
            _ => return Some(line.to_owned()),
        };
        self.entry(at, Log { level, message: text, data: None })
    }

    fn entry(&self, at: Option<Timestamp>, log: Log) -> Option<String> {
        if weight(log.level) < weight(self.level) {
            return None;
        }
        let mut data = log.data.unwrap_or_default();
        data.retain(|_, value| !value.is_null());
        let target =
            data.remove("name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let at = at.unwrap_or_else(Timestamp::now);
        let entry = Entry::new(at, log.level, &target, &log.message, data);
        Some(entry.line(Format::Pretty { colour: self.colour }))
    }
}

fn weight(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warn => 2,
        LogLevel::Error => 3,
    }
}

fn said(stream: &str, status: &StreamStatus) -> (LogLevel, String) {
    match status {
        StreamStatus::Start { .. } => (LogLevel::Info, format!("{stream}: started")),
        StreamStatus::RangeComplete { .. } => (LogLevel::Debug, format!("{stream}: a range is complete")),
        StreamStatus::Complete => (LogLevel::Info, format!("{stream}: complete")),
        StreamStatus::Skip { reason } => (LogLevel::Warn, format!("{stream}: skipped: {reason}")),
        StreamStatus::Error { error } => (LogLevel::Error, format!("{stream}: failed: {error}")),
    }
}

fn told(progress: &ProgressPayload) -> String {
    let ended = progress.streams.values().filter(|stream| stream.status.is_terminal()).count();
    let mut text = format!(
        "{}, {:.0} rows/s, {ended} of {} ended",
        counted(progress.derived.total_record_count, "row"),
        progress.derived.records_per_second,
        counted(progress.streams.len(), "stream")
    );
    let seconds = progress.elapsed_ms / 1000;
    // Writing to a string cannot fail.
    let _ = write!(text, ", {}:{:02}", seconds / 60, seconds % 60);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Prettifier = Prettifier { level: LogLevel::Debug, progress: true, colour: false };

    #[test]
    fn messages_read_well() {
        let lines = [
            r#"{"type":"log","log":{"level":"warn","message":"slow","data":{"name":"engine","run_id":null,"api_key":"x"}},"_ts":"2026-01-02T03:04:05Z"}"#,
            r#"{"type":"stream_status","stream_status":{"stream":"charge","status":"error","error":"broken"},"_ts":"2026-01-02T03:04:05Z"}"#,
            r#"{"type":"connection_status","connection_status":{"status":"failed","message":"no"},"_ts":"2026-01-02T03:04:05Z"}"#,
            r#"{"type":"eof","eof":{"has_more":true},"_ts":"2026-01-02T03:04:05Z"}"#,
            r#"{"type":"record","record":{"stream":"a","data":{"id":"1"},"emitted_at":"2026-01-02T03:04:05Z"}}"#,
            "not a message",
        ];
        let shown: Vec<String> = lines.iter().filter_map(|line| ALL.line(line)).collect();
        assert_eq!(
            shown,
            [
                "03:04:05 warning: slow api_key=[redacted]",
                "03:04:05 error: charge: failed: broken",
                "03:04:05 error: connection failed: no",
                "03:04:05 info: ended, with more to do",
                lines[4],
                "not a message",
            ]
        );
    }

    #[test]
    fn what_matters_less_is_left_out() {
        let warnings = Prettifier { level: LogLevel::Warn, ..ALL };
        let info = r#"{"type":"log","log":{"level":"info","message":"fine"}}"#;
        assert_eq!(warnings.line(info), None);
        assert!(ALL.line(info).is_some());
        let progress = serde_json::to_string(&Message::from(Payload::Progress(Box::new(
            ProgressPayload::fresh(Timestamp::UNIX_EPOCH, std::iter::once("a".to_owned())),
        ))))
        .unwrap();
        assert!(ALL.line(&progress).unwrap().ends_with("info: 0 rows, 0 rows/s, 0 of 1 stream ended, 0:00"));
        assert_eq!(Prettifier { progress: false, ..ALL }.line(&progress), None);
    }
}
