//! The suite for sources finds what is wrong, and only that.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;

use futures::{StreamExt, stream};
use protocol::{
    AnySource, CatalogMessage, ConnectionStatus, Message, MessageStream, Payload, RawJson, ReadRequest,
    Record, Source, Stream, StreamStatus, Timestamp, once,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use test_utils::conformance::Config;
use test_utils::conformance::source::{SourceFixture, run_all};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    CheckAlwaysSucceeds,
    TwoStreamsOfOneName,
    SpeaksAsAnEngine,
    RecordsAfterTheEnd,
    NoStart,
    NeverEnds,
    ReadsEverything,
    RecordsWithoutKey,
    RecordsWithoutVersion,
    StateAheadOfRecords,
    ForgetsItsState,
}

const FOUND_BY: &[(Defect, &str)] = &[
    (Defect::CheckAlwaysSucceeds, "source::check_succeeds_and_fails"),
    (Defect::TwoStreamsOfOneName, "source::discover_yields_one_catalog"),
    (Defect::SpeaksAsAnEngine, "source::read_yields_only_what_sources_may_say"),
    (Defect::RecordsAfterTheEnd, "source::statuses_come_in_order"),
    (Defect::NoStart, "source::statuses_come_in_order"),
    (Defect::NeverEnds, "source::statuses_come_in_order"),
    (Defect::ReadsEverything, "source::records_belong_to_configured_streams"),
    (Defect::RecordsWithoutKey, "source::records_have_their_key_and_version"),
    (Defect::RecordsWithoutVersion, "source::records_have_their_key_and_version"),
    (Defect::StateAheadOfRecords, "source::a_read_can_resume_from_any_state"),
    (Defect::ForgetsItsState, "source::the_final_state_is_final"),
];

/// Counts to twelve in every stream; its state is the next number.
#[derive(Clone, Copy)]
struct Counter(Option<Defect>);

#[derive(Debug, Deserialize, JsonSchema)]
struct CounterConfig {
    /// Whether it works.
    works: bool,
}

fn streams() -> Vec<Stream> {
    let one = |name: &str| Stream {
        name: name.into(),
        primary_key: vec![vec!["id".to_owned()]],
        newer_than_field: "at".to_owned(),
        json_schema: None,
        metadata: None,
        soft_delete_field: None,
    };
    ["apples", "pears"].map(one).to_vec()
}

impl Source for Counter {
    type Config = CounterConfig;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn check(&self, config: CounterConfig) -> MessageStream {
        let works = config.works || self.0 == Some(Defect::CheckAlwaysSucceeds);
        let status =
            if works { ConnectionStatus::succeeded() } else { ConnectionStatus::failed("it is broken") };
        once(async { Ok(Message::connection_status(status)) })
    }

    fn discover(&self, _: CounterConfig) -> MessageStream {
        let mut streams = streams();
        if self.0 == Some(Defect::TwoStreamsOfOneName) {
            streams.push(streams[0].clone());
        }
        once(async { Ok(Payload::Catalog(CatalogMessage { streams }).into()) })
    }

    fn read(&self, _: CounterConfig, request: ReadRequest) -> MessageStream {
        let mut messages = Vec::new();
        let wanted: Vec<Stream> = match self.0 {
            Some(Defect::ReadsEverything) => streams(),
            _ => request.catalog.streams.into_iter().map(|configured| configured.stream).collect(),
        };
        let state = request.state.unwrap_or_default();
        for one in wanted {
            let next = state.streams.get(&*one.name).map_or(0, |data| data.as_str().parse().unwrap());
            self.count(&one.name, next, &mut messages);
        }
        stream::iter(messages.into_iter().map(Ok)).boxed()
    }
}

impl Counter {
    fn count(&self, name: &Arc<str>, next: usize, messages: &mut Vec<Message>) {
        if self.0 != Some(Defect::NoStart) {
            messages
                .push(Message::stream_status(name, StreamStatus::Start { time_range: None, reason: None }));
        }
        let next = if self.0 == Some(Defect::ForgetsItsState) { 0 } else { next };
        for at in next..12 {
            let data = match self.0 {
                Some(Defect::RecordsWithoutKey) => json!({"at": 1}),
                Some(Defect::RecordsWithoutVersion) => json!({"id": at}),
                _ => json!({"id": at, "at": 1}),
            };
            let ahead = usize::from(self.0 == Some(Defect::StateAheadOfRecords) && at + 2 < 12);
            messages.push(record(name, &data));
            messages.push(Message::stream_state(name, RawJson::from_value(&(at + 1 + ahead)).unwrap()));
        }
        if self.0 == Some(Defect::SpeaksAsAnEngine) {
            messages.push(Payload::SourceInput(RawJson::from_value(&1).unwrap()).into());
        }
        if self.0 != Some(Defect::NeverEnds) {
            messages.push(Message::stream_status(name, StreamStatus::Complete));
        }
        if self.0 == Some(Defect::RecordsAfterTheEnd) {
            messages.push(record(name, &json!({"id": 1, "at": 2})));
        }
    }
}

fn record(stream: &Arc<str>, data: &serde_json::Value) -> Message {
    let data = RawJson::from_value(data).unwrap();
    let stream = Arc::clone(stream);
    Payload::Record(Record { stream, data, deleted: false, emitted_at: Timestamp::UNIX_EPOCH }).into()
}

struct Fixture(Option<Defect>);

impl SourceFixture for Fixture {
    fn source(&self) -> Arc<dyn AnySource> {
        Arc::new(Counter(self.0))
    }

    async fn config(&self) -> anyhow::Result<Config> {
        Ok(Map::from_iter([("works".to_owned(), json!(true))]))
    }

    async fn unusable(&self) -> anyhow::Result<Vec<Config>> {
        Ok(vec![Map::from_iter([("works".to_owned(), json!(false))])])
    }
}

#[tokio::test]
async fn what_is_right_passes() {
    run_all(&Fixture(None)).await.assert_passed();
}

#[tokio::test]
async fn every_defect_is_found() {
    for (defect, case) in FOUND_BY {
        let report = run_all(&Fixture(Some(*defect))).await;
        let found: Vec<&str> = report.failures().into_iter().map(|(name, _)| name).collect();
        assert!(found.contains(case), "{defect:?} is not found by {case}, but by {found:?}");
    }
}
