//! Progress where nothing can be redrawn: one line for each stream that ends, and totals now and then.

use std::collections::HashMap;

use protocol::{ProgressPayload, StreamRunStatus, counted};

use super::Requests;
use super::figures::{count, duration, rate};

/// At least this long between two lines of totals.
const PAUSE_MS: u64 = 5_000;

/// Decides which lines are due.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// How each stream was said to have ended, last.
    told: HashMap<String, StreamRunStatus>,
    progress: Option<ProgressPayload>,
    totals_at: u64,
    totals_told: Option<u64>,
}

impl Plain {
    /// The lines about streams that have ended since.
    pub(crate) fn progress(&mut self, progress: &ProgressPayload) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, stream) in &progress.streams {
            let is_news = || self.told.get(name) != Some(&stream.status);
            if !stream.status.is_terminal() || !is_news() {
                continue;
            }
            self.told.insert(name.clone(), stream.status);
            let rows = counted(count(stream.record_count), "row");
            let reason = stream.message.as_deref().unwrap_or("no reason given");
            lines.push(match stream.status {
                StreamRunStatus::Skipped => format!("{name}: skipped: {reason}"),
                StreamRunStatus::Errored => format!("{name}: failed after {rows}: {reason}"),
                _ => format!("{name}: complete, {rows}"),
            });
        }
        self.progress = Some(progress.clone());
        lines
    }

    /// A line of totals, where one is due and says something new.
    pub(crate) fn tick(&mut self, elapsed_ms: u64, requests: Option<Requests>) -> Option<String> {
        let progress = self.progress.as_ref()?;
        let rows = progress.derived.total_record_count;
        let sent = requests.map_or(0, |requests| requests.sent);
        if elapsed_ms < self.totals_at + PAUSE_MS || self.totals_told == Some(rows + sent) {
            return None;
        }
        (self.totals_at, self.totals_told) = (elapsed_ms, Some(rows + sent));
        let ended = progress.streams.values().filter(|stream| stream.status.is_terminal()).count();
        let total = progress.streams.len();
        let speed = rate(progress.derived.records_per_second);
        let asked = requests
            .map(|requests| format!(", {}", counted(count(requests.sent), "request")))
            .unwrap_or_default();
        let time = duration(elapsed_ms);
        let (rows, total) = (counted(count(rows), "row"), counted(total, "stream"));
        Some(format!("{time}: {rows}, {speed} rows/s{asked}, {ended} of {total} ended"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{StreamProgress, Timestamp};

    fn progress(streams: &[(&str, StreamRunStatus, u64)]) -> ProgressPayload {
        let mut progress = ProgressPayload::fresh(Timestamp::UNIX_EPOCH, std::iter::empty());
        for (name, status, rows) in streams {
            let message = Some("because".to_owned());
            let stream =
                StreamProgress { status: *status, record_count: *rows, message, ..StreamProgress::default() };
            progress.streams.insert((*name).to_owned(), stream);
            progress.derived.total_record_count += rows;
        }
        progress
    }

    #[test]
    fn each_end_is_told_once() {
        use StreamRunStatus::{Completed, Errored, Skipped, Started};
        let mut plain = Plain::default();
        assert!(plain.progress(&progress(&[("a", Started, 5)])).is_empty());
        let all = progress(&[("a", Completed, 1234), ("b", Skipped, 0), ("c", Errored, 7)]);
        assert_eq!(
            plain.progress(&all),
            ["a: complete, 1,234 rows", "b: skipped: because", "c: failed after 7 rows: because"]
        );
        assert!(plain.progress(&all).is_empty());
        let later = progress(&[("a", Errored, 1234)]);
        assert_eq!(
            plain.progress(&later),
            ["a: failed after 1,234 rows: because"],
            "it was complete too soon"
        );
    }

    #[test]
    fn totals_come_now_and_then_and_only_when_they_change() {
        let mut plain = Plain::default();
        assert_eq!(plain.tick(60_000, None), None, "nothing is known");
        plain.progress(&progress(&[("a", StreamRunStatus::Started, 5)]));
        assert_eq!(plain.tick(4_000, None), None);
        let line = plain.tick(5_000, Some(Requests { sent: 3, ..Requests::default() }));
        assert_eq!(line.unwrap(), "5.0 s: 5 rows, 0 rows/s, 3 requests, 0 of 1 stream ended");
        assert_eq!(plain.tick(20_000, Some(Requests { sent: 3, ..Requests::default() })), None);
        assert!(plain.tick(20_000, Some(Requests { sent: 4, ..Requests::default() })).is_some());
    }
}
