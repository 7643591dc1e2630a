//! The state of a run that may span several requests.

use protocol::{
    ConfiguredCatalog, EofPayload, Message, Payload, ProgressPayload, RunStatus, StreamRunStatus,
    SyncRunState, SyncState, TimeRange, Timestamp,
};

use crate::Progress;
use crate::selection::ConfiguredCatalogs;

/// The state a request begins with.
///
/// The same `run_id` as before goes on with the run: its ceiling and progress stay. Anything else
/// begins a run: the cursors stay, progress starts anew, and a `run_id` fixes the ceiling at `now`.
pub fn initial_state<'n>(
    previous: Option<SyncState>,
    run_id: Option<&str>,
    streams: impl Iterator<Item = &'n str>,
    now: Timestamp,
) -> SyncState {
    if let Some(state) = &previous
        && run_id.is_some()
        && state.sync_run.run_id.as_deref() == run_id
    {
        return previous.unwrap_or_else(SyncState::empty);
    }
    let kept = previous.unwrap_or_else(SyncState::empty);
    SyncState {
        sync_run: SyncRunState {
            run_id: run_id.map(str::to_owned),
            time_ceiling: run_id.map(|_| now).or(kept.sync_run.time_ceiling),
            progress: ProgressPayload::fresh(now, streams.map(str::to_owned)),
        },
        ..kept
    }
}

/// Gives every stream that can be narrowed by time an upper bound, unless the user gave one.
pub(crate) fn with_ceiling(mut catalog: ConfiguredCatalog, ceiling: Option<Timestamp>) -> ConfiguredCatalog {
    let Some(ceiling) = ceiling else { return catalog };
    for configured in &mut catalog.streams {
        if configured.supports_time_range != Some(false) {
            let range = configured.time_range.unwrap_or_default();
            let lt = range.lt.or(Some(ceiling));
            configured.time_range = Some(TimeRange { lt, ..range });
        }
    }
    catalog
}

/// The catalogs without the streams that the run is done with.
///
/// Streams that are complete stay where the source has a position of its own as a whole: what it tells of all streams, such as
/// the changes since they were read, it tells once, and a stream that is left out then would never hear of it.
pub(crate) fn without_terminal(catalogs: ConfiguredCatalogs, state: &SyncState) -> ConfiguredCatalogs {
    let stands_as_a_whole = !matches!(state.source.global.as_str().trim(), "{}" | "null" | "");
    catalogs.retain(|name| match state.sync_run.progress.streams.get(name).map(|stream| stream.status) {
        Some(StreamRunStatus::Completed) => stands_as_a_whole,
        Some(status) => !status.is_terminal(),
        None => true,
    })
}

/// What a request has learned so far: the state to go on from, and both progresses.
#[derive(Debug)]
pub struct RunLedger {
    /// Its `sync_run.progress` is only brought up to date by [`RunLedger::state`].
    state: SyncState,
    run: Progress,
    request: Progress,
}

impl RunLedger {
    /// Begins a request with `state`, over these streams.
    pub fn begin<'n>(state: SyncState, streams: impl Iterator<Item = &'n str>, now: Timestamp) -> RunLedger {
        let run = Progress::resume(state.sync_run.progress.clone());
        RunLedger { state, run, request: Progress::fresh(now, streams) }
    }

    /// Takes in a message that came out of the destination, at `at`.
    pub fn observe(&mut self, message: &Message, at: Timestamp) {
        self.run.observe(message, at);
        self.request.observe(message, at);
        if let Payload::SourceState(state) = &message.payload {
            self.state.source.apply(state);
        }
    }

    /// See [`Progress::finish_silent`].
    pub fn finish_silent(&mut self, streams: &[String]) -> bool {
        let run = self.run.finish_silent(streams.iter().map(String::as_str));
        self.request.finish_silent(streams.iter().map(String::as_str)) || run
    }

    /// The progress of the whole run.
    pub fn run_progress(&self) -> ProgressPayload {
        self.run.payload()
    }

    /// What the client sends back to go on.
    pub fn state(&self) -> SyncState {
        let mut state = self.state.clone();
        state.sync_run.progress = self.run.payload();
        state
    }

    /// The end of the request. `failed` says that it ended by an error.
    pub fn eof(&self, has_more: bool, failed: bool) -> EofPayload {
        let state = self.state();
        let run_progress = state.sync_run.progress.clone();
        EofPayload {
            status: if failed { RunStatus::Failed } else { run_progress.derived.status },
            has_more,
            ending_state: Some(state),
            run_progress,
            request_progress: self.request.payload(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{RawJson, Stream};
    use serde_json::json;
    use std::sync::Arc;

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn begun(previous: Option<SyncState>, run_id: Option<&str>, now: i64) -> SyncState {
        initial_state(previous, run_id, ["a", "b"].into_iter(), second(now))
    }

    #[test]
    fn complete_streams_stay_where_the_source_stands_as_a_whole() {
        use protocol::CatalogMessage;
        let stream = |name| json!({"name": name, "primary_key": [["id"]], "newer_than_field": "_updated_at"});
        let offered: CatalogMessage =
            serde_json::from_value(json!({"streams": [stream("a"), stream("b"), stream("c")]})).unwrap();
        let mut state = begun(None, Some("r1"), 5);
        for (name, status) in [("a", StreamRunStatus::Completed), ("b", StreamRunStatus::Errored)] {
            state.sync_run.progress.streams.entry(name.to_owned()).or_default().status = status;
        }
        let left = |state: &SyncState| {
            let catalogs = crate::selection::configure(&offered, &[]).unwrap();
            without_terminal(catalogs, state).names().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(left(&state), ["c"]);
        state.source.global = RawJson::parse(r#"{"events_cursor":7}"#).unwrap();
        assert_eq!(left(&state), ["a", "c"], "it hears of changes since it was read");
    }

    #[test]
    fn a_first_request_begins_a_run() {
        let state = begun(None, Some("r1"), 5);
        assert_eq!(state.sync_run.run_id.as_deref(), Some("r1"));
        assert_eq!(state.sync_run.time_ceiling, Some(second(5)));
        assert_eq!(state.sync_run.progress.streams.len(), 2);
        assert_eq!(begun(None, None, 5).sync_run.time_ceiling, None);
    }

    #[test]
    fn the_same_run_goes_on_and_another_begins_anew() {
        let mut state = begun(None, Some("r1"), 5);
        state.source.streams.insert("other".to_owned(), RawJson::parse("1").unwrap());
        state.destination = RawJson::parse(r#"{"kept":1}"#).unwrap();
        state.sync_run.progress.streams.get_mut("a").unwrap().status = StreamRunStatus::Errored;
        assert_eq!(begun(Some(state.clone()), Some("r1"), 9), state, "unchanged");

        let next = begun(Some(state.clone()), Some("r2"), 9);
        assert_eq!(next.sync_run.time_ceiling, Some(second(9)));
        assert_eq!(next.sync_run.progress.streams["a"].status, StreamRunStatus::NotStarted, "tried again");
        assert_eq!((&next.source, &next.destination), (&state.source, &state.destination));

        let anonymous = begun(Some(state), None, 9);
        assert_eq!(anonymous.sync_run.run_id, None);
        assert_eq!(anonymous.sync_run.time_ceiling, Some(second(5)), "kept");
    }

    fn catalog() -> ConfiguredCatalog {
        let stream = |name: &str, range: serde_json::Value, supports: Option<bool>| {
            let stream: Stream = serde_json::from_value(
                json!({"name": name, "primary_key": [["id"]], "newer_than_field": "_updated_at"}),
            )
            .unwrap();
            protocol::ConfiguredStream {
                time_range: serde_json::from_value(range).unwrap(),
                supports_time_range: supports,
                ..protocol::ConfiguredStream::whole(stream)
            }
        };
        ConfiguredCatalog {
            streams: vec![
                stream("plain", json!(null), None),
                stream("from", json!({"gte": "2020-01-01"}), Some(true)),
                stream("to", json!({"lt": "2020-01-01"}), None),
                stream("never", json!(null), Some(false)),
            ],
        }
    }

    #[test]
    fn the_ceiling_bounds_what_has_no_bound() {
        let bounded = with_ceiling(catalog(), Some(second(7)));
        let range = |at: usize| bounded.streams[at].time_range;
        assert_eq!(range(0), Some(TimeRange { gte: None, lt: Some(second(7)) }));
        assert_eq!(range(1).unwrap().lt, Some(second(7)));
        assert_eq!(range(1).unwrap().gte, catalog().streams[1].time_range.unwrap().gte);
        assert_eq!(range(2), catalog().streams[2].time_range, "the user's bound stays");
        assert_eq!(range(3), None);
        assert_eq!(with_ceiling(catalog(), None), catalog());
    }

    #[test]
    fn a_ledger_adds_to_the_state_it_began_with() {
        let mut state = begun(None, None, 0);
        state.source.streams.insert("other".to_owned(), RawJson::parse("1").unwrap());
        let mut ledger = RunLedger::begin(state, ["a", "b"].into_iter(), second(0));
        assert_eq!(ledger.state().source.streams.len(), 1, "nothing emitted, nothing changed");
        let name: Arc<str> = "a".into();
        ledger.observe(&Message::stream_state(&name, RawJson::parse("2").unwrap()), second(1));
        let eof = ledger.eof(true, false);
        let ending = eof.ending_state.unwrap();
        assert_eq!(
            serde_json::to_value(&ending.source).unwrap(),
            json!({"streams": {"a": 2, "other": 1}, "global": {}})
        );
        assert_eq!(ending.sync_run.progress, eof.run_progress);
        assert_eq!((eof.status, eof.has_more), (RunStatus::Started, true));
        assert_eq!(ledger.eof(false, true).status, RunStatus::Failed);
    }
}
