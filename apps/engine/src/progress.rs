//! How far a run is, from the messages that come out of the destination.

use protocol::{
    ConnectionState, DerivedProgress, Message, Payload, ProgressPayload, Range, RunStatus,
    SourceStateMessage, StreamProgress, StreamRunStatus, StreamStatus, Timestamp,
};

/// Reduces messages to a [`ProgressPayload`]; a record costs one look-up.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Its `derived` part is only brought up to date by [`Progress::payload`].
    payload: ProgressPayload,
    records: u64,
    stream_states: u64,
}

impl Progress {
    /// Goes on from what was done so far.
    pub fn resume(payload: ProgressPayload) -> Progress {
        let records = payload.streams.values().map(|stream| stream.record_count).sum();
        let stream_states = payload.streams.values().map(|stream| stream.state_count).sum();
        Progress { payload, records, stream_states }
    }

    /// Nothing done yet on these streams.
    pub fn fresh<'n>(started_at: Timestamp, streams: impl Iterator<Item = &'n str>) -> Progress {
        Progress::resume(ProgressPayload::fresh(started_at, streams.map(str::to_owned)))
    }

    /// Takes in a message that was seen at `at`.
    pub fn observe(&mut self, message: &Message, at: Timestamp) {
        let anchored = self.payload.elapsed_ms > 0 || self.payload.global_state_count > 0 || self.records > 0;
        match &message.payload {
            Payload::Record(record) => {
                self.records += 1;
                self.stream(&record.stream).record_count += 1;
            }
            Payload::SourceState(SourceStateMessage::Stream { stream, .. }) => {
                self.stream_states += 1;
                self.stream(stream).state_count += 1;
            }
            Payload::SourceState(SourceStateMessage::Global { .. }) => self.payload.global_state_count += 1,
            Payload::StreamStatus(message) => self.stream_status(&message.stream, &message.status),
            Payload::ConnectionStatus(status) => self.payload.connection_status = Some(status.clone()),
            _ => return,
        }
        if !anchored {
            self.payload.started_at = at;
        }
        self.payload.elapsed_ms = at.millis_since(self.payload.started_at);
    }

    /// The source ended by itself: of these streams, those that nothing was said about had nothing
    /// to do. Answers whether there were any. Nothing is known of them where the connection failed.
    pub fn finish_silent<'n>(&mut self, streams: impl Iterator<Item = &'n str>) -> bool {
        let mut any = false;
        if self.connection_failed() {
            return any;
        }
        for name in streams {
            let stream = self.stream(name);
            if stream.status == StreamRunStatus::NotStarted {
                stream.status = StreamRunStatus::Completed;
                any = true;
            }
        }
        any
    }

    /// How a stream stands; `None` where it is not known.
    pub fn status_of(&self, stream: &str) -> Option<StreamRunStatus> {
        self.payload.streams.get(stream).map(|progress| progress.status)
    }

    /// All of it.
    pub fn payload(&self) -> ProgressPayload {
        ProgressPayload { derived: self.derived(), ..self.payload.clone() }
    }

    /// How the run stands: failed as soon as the connection or a stream failed, also while others go
    /// on; succeeded once every stream is complete or skipped.
    pub fn status(&self) -> RunStatus {
        use StreamRunStatus::{Errored, NotStarted, Started};
        if self.connection_failed() {
            return RunStatus::Failed;
        }
        let has =
            |wanted: StreamRunStatus| self.payload.streams.values().any(|stream| stream.status == wanted);
        if has(Errored) {
            RunStatus::Failed
        } else if self.payload.streams.is_empty() || has(NotStarted) || has(Started) {
            RunStatus::Started
        } else {
            RunStatus::Succeeded
        }
    }

    fn connection_failed(&self) -> bool {
        self.payload.connection_status.as_ref().is_some_and(|last| last.status == ConnectionState::Failed)
    }

    fn derived(&self) -> DerivedProgress {
        let states = self.stream_states + self.payload.global_state_count;
        DerivedProgress {
            status: self.status(),
            records_per_second: rate(self.records, self.payload.elapsed_ms),
            states_per_second: rate(states, self.payload.elapsed_ms),
            total_record_count: self.records,
            total_state_count: states,
        }
    }

    fn stream(&mut self, name: &str) -> &mut StreamProgress {
        let streams = &mut self.payload.streams;
        if !streams.contains_key(name) {
            streams.insert(name.to_owned(), StreamProgress::default());
        }
        // Not `entry`, which would copy the name for every record.
        streams.get_mut(name).expect("it was inserted")
    }

    fn stream_status(&mut self, name: &str, status: &StreamStatus) {
        let stream = self.stream(name);
        match status {
            StreamStatus::Start { time_range, reason } => {
                stream.status = StreamRunStatus::Started;
                // What was said of an earlier reading does not hold of this one.
                stream.message.clone_from(reason);
                if let Some((gte, lt)) = time_range.and_then(|range| range.gte.zip(range.lt)) {
                    stream.total_range = Some(Range { gte, lt });
                }
            }
            StreamStatus::RangeComplete { range_complete } => {
                add_range(stream.completed_ranges.get_or_insert_default(), *range_complete);
            }
            StreamStatus::Complete => stream.status = StreamRunStatus::Completed,
            StreamStatus::Error { error } => {
                stream.status = StreamRunStatus::Errored;
                stream.message = Some(error.clone());
            }
            StreamStatus::Skip { reason } => {
                stream.status = StreamRunStatus::Skipped;
                stream.message = Some(reason.clone());
            }
        }
    }
}

fn rate(count: u64, elapsed_ms: u64) -> f64 {
    if elapsed_ms == 0 {
        return 0.0;
    }
    // Counts are far below 2^52, where a float is exact.
    count as f64 * 1000.0 / elapsed_ms as f64
}

/// Adds a range to sorted, disjoint, not touching ones, and keeps them so.
fn add_range(ranges: &mut Vec<Range>, mut added: Range) {
    if added.gte >= added.lt {
        return;
    }
    let first = ranges.partition_point(|range| range.lt < added.gte);
    let end = first + ranges[first..].partition_point(|range| range.gte <= added.lt);
    for range in &ranges[first..end] {
        added = Range { gte: added.gte.min(range.gte), lt: added.lt.max(range.lt) };
    }
    ranges.splice(first..end, [added]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn observed(progress: &mut Progress, at: i64, message: serde_json::Value) {
        progress.observe(&serde_json::from_value(message).unwrap(), second(at));
    }

    fn status(stream: &str, rest: serde_json::Value) -> serde_json::Value {
        let mut status = rest;
        status["stream"] = json!(stream);
        json!({"type": "stream_status", "stream_status": status})
    }

    fn record(stream: &str) -> serde_json::Value {
        json!({"type": "record", "record":
            {"stream": stream, "data": {}, "emitted_at": "2026-01-01T00:00:00.000Z"}})
    }

    #[test]
    fn counts_by_stream_from_the_first_message_on() {
        let mut progress = Progress::fresh(second(0), ["a"].into_iter());
        observed(&mut progress, 90, json!({"type": "log", "log": {"level": "info", "message": "m"}}));
        observed(&mut progress, 100, record("a"));
        observed(&mut progress, 101, record("b"));
        observed(
            &mut progress,
            102,
            json!({"type": "source_state",
            "source_state": {"state_type": "stream", "stream": "a", "data": 1}}),
        );
        observed(
            &mut progress,
            104,
            json!({"type": "source_state",
            "source_state": {"state_type": "global", "data": {}}}),
        );
        let payload = progress.payload();
        assert_eq!(payload.started_at, second(100), "anchored at the first message about data");
        assert_eq!((payload.elapsed_ms, payload.global_state_count), (4000, 1));
        assert_eq!((payload.streams["a"].record_count, payload.streams["a"].state_count), (1, 1));
        assert_eq!(payload.streams["b"].record_count, 1);
        assert_eq!(payload.streams["a"].status, StreamRunStatus::NotStarted, "a state is no status");
        assert_eq!(payload.derived.total_record_count, 2);
        assert_eq!(payload.derived.total_state_count, 2);
        assert!((payload.derived.records_per_second - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn counts_go_on_after_a_continuation() {
        let mut first = Progress::fresh(second(0), ["a"].into_iter());
        observed(&mut first, 10, record("a"));
        observed(&mut first, 20, record("a"));
        let mut second_half = Progress::resume(first.payload());
        observed(&mut second_half, 30, record("a"));
        let payload = second_half.payload();
        assert_eq!((payload.derived.total_record_count, payload.elapsed_ms), (3, 20_000));
    }

    #[test]
    fn the_status_of_the_run_hides_nothing() {
        let mut progress = Progress::fresh(second(0), ["a", "b"].into_iter());
        assert_eq!(progress.status(), RunStatus::Started);
        observed(&mut progress, 1, status("a", json!({"status": "complete"})));
        assert_eq!(progress.status(), RunStatus::Started, "b was not started");
        observed(&mut progress, 2, status("b", json!({"status": "skip", "reason": "no Issuing"})));
        assert_eq!(progress.status(), RunStatus::Succeeded);
        assert_eq!(progress.payload().streams["b"].message.as_deref(), Some("no Issuing"));
        observed(&mut progress, 3, status("c", json!({"status": "start"})));
        observed(&mut progress, 4, status("a", json!({"status": "error", "error": "broken"})));
        assert_eq!(progress.status(), RunStatus::Failed, "although c is active");
    }

    #[test]
    fn a_failed_connection_fails_the_run() {
        let mut progress = Progress::fresh(second(0), ["a"].into_iter());
        observed(
            &mut progress,
            1,
            json!({"type": "connection_status",
            "connection_status": {"status": "failed", "message": "no"}}),
        );
        assert_eq!(progress.status(), RunStatus::Failed);
        assert!(!progress.finish_silent(["a"].into_iter()), "nothing is known of the streams");
    }

    #[test]
    fn a_stream_with_nothing_to_do_is_complete() {
        let mut progress = Progress::fresh(second(0), ["a", "b", "c"].into_iter());
        observed(&mut progress, 1, status("b", json!({"status": "start"})));
        assert!(progress.finish_silent(["a", "b"].into_iter()));
        assert_eq!(progress.status_of("a"), Some(StreamRunStatus::Completed));
        assert_eq!(progress.status_of("b"), Some(StreamRunStatus::Started), "it did not finish");
        assert_eq!(progress.status_of("c"), Some(StreamRunStatus::NotStarted), "not in this request");
        assert!(!progress.finish_silent(["a"].into_iter()));
    }

    #[test]
    fn the_total_range_needs_both_ends() {
        let mut progress = Progress::fresh(second(0), ["a"].into_iter());
        observed(
            &mut progress,
            1,
            status(
                "a",
                json!({"status": "start",
            "time_range": {"gte": "2020-01-01T00:00:00Z"}}),
            ),
        );
        assert_eq!(progress.payload().streams["a"].total_range, None);
        observed(
            &mut progress,
            1,
            status(
                "a",
                json!({"status": "start",
            "time_range": {"gte": "2020-01-01T00:00:00Z", "lt": "2021-01-01T00:00:00Z"}}),
            ),
        );
        assert!(progress.payload().streams["a"].total_range.is_some());
    }

    proptest! {
        #[test]
        fn completed_ranges_are_the_union(
            added in prop::collection::vec((0_i64..40, 0_i64..8), 0..20),
        ) {
            let mut ranges = Vec::new();
            let mut covered = [false; 50];
            for (start, length) in added {
                add_range(&mut ranges, Range { gte: second(start), lt: second(start + length) });
                for at in start..start + length {
                    covered[usize::try_from(at).unwrap()] = true;
                }
            }
            for (at, covered) in (0..).zip(covered) {
                let found = ranges.iter().any(|range| range.gte <= second(at) && second(at) < range.lt);
                prop_assert_eq!(found, covered);
            }
            prop_assert!(ranges.windows(2).all(|pair| pair[0].lt < pair[1].gte), "sorted, apart");
        }
    }
}
