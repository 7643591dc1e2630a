//! Several writers at once, whatever they write: what is newest stays.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use destination_postgres::{PostgresConfig, PostgresDestination, Projection};
use futures::{StreamExt, stream};
use protocol::{Destination, Message, WriteRequest, run_to_end};

use crate::harness::{Place, catalog, deletion, place, plain_stream, record, stream_errors};

const STREAMS: [&str; 3] = ["a", "b", "c"];
const WRITERS: usize = 3;
const CASES: usize = 12;

/// A change, and the writers that tell of it, as bits: some are told of by several, and by one twice.
#[derive(Debug, Clone, Copy)]
struct Change {
    stream: usize,
    key: u8,
    deleted: bool,
    writers: u8,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (0..3_usize, 0..6_u8, prop::bool::weighted(0.25), 1..8_u8)
        .prop_map(|(stream, key, deleted, writers)| Change { stream, key, deleted, writers });
    // The place of a change is its version. They are told in any order.
    prop::collection::vec(change, 30..120)
}

fn message(version: usize, change: Change) -> Message {
    let data = format!(r#"{{"id":"k{}","n":{version},"updated":{version}}}"#, change.key);
    let name = STREAMS[change.stream];
    if change.deleted { deletion(name, &data) } else { record(name, &data) }
}

/// The changes with their versions, in some order, as one writer tells them.
fn told(changes: &[(usize, Change)], writer: usize) -> Vec<Message> {
    let own = |(_, change): &&(usize, Change)| change.writers >> writer & 1 == 1;
    let own: Vec<_> =
        changes.iter().filter(own).map(|(version, change)| message(*version, *change)).collect();
    // Some of it again, as after a retry.
    let again = own.len() / 2;
    own.iter().chain(&own[again..]).cloned().collect()
}

async fn write(place: &Place, config: PostgresConfig, messages: Vec<Message>) {
    let sent = messages.len();
    let input = stream::iter(messages).map(Ok).boxed();
    let request = WriteRequest { catalog: catalog(STREAMS.map(plain_stream)), input, sync_id: None };
    let back = run_to_end(PostgresDestination.write(config, request)).await.unwrap();
    assert_eq!((stream_errors(&back), back.len()), (Vec::new(), sent), "{}", place.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_newest_stays_whoever_writes_beside() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for case in 0..CASES {
        let drawn = changes().new_tree(&mut runner).unwrap().current();
        let numbered: Vec<(usize, Change)> = (1..).zip(drawn).collect();
        let shuffled = Just(numbered.clone()).prop_shuffle().new_tree(&mut runner).unwrap().current();
        let projection = [Projection::Generated, Projection::Typed, Projection::View][case % 3];
        let place = place().await;
        let config = || {
            let batch_size = (1 + case % 4).try_into().unwrap();
            PostgresConfig { projection, batch_size, ..place.config() }
        };
        let catalog = catalog(STREAMS.map(plain_stream));
        run_to_end(PostgresDestination.setup(config(), catalog).unwrap()).await.unwrap();
        let writers = (0..WRITERS).map(|writer| write(&place, config(), told(&shuffled, writer)));
        join_all(writers).await;
        let mut newest: BTreeMap<(usize, u8), (usize, bool)> = BTreeMap::new();
        for (version, change) in &numbered {
            newest.insert((change.stream, change.key), (*version, change.deleted));
        }
        for (stream, name) in STREAMS.iter().enumerate() {
            let rows = place
                .query(&format!("SELECT id || ' ' || (_raw_data->>'n') FROM stripe.{name} ORDER BY id"))
                .await;
            let expected = newest.iter().filter(|((of, _), (_, deleted))| *of == stream && !deleted);
            let expected: Vec<String> =
                expected.map(|((_, key), (version, _))| format!("k{key} {version}")).collect();
            assert_eq!(rows, expected, "case {case}, {projection}, {name}: {numbered:?}");
        }
    }
}

#[tokio::test]
async fn a_table_that_refuses_copy_is_written_all_the_same() {
    let place = place().await;
    let catalog = catalog([plain_stream("a")]);
    place.setup(&catalog).await.unwrap();
    place
        .execute(
            "ALTER TABLE stripe.a ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON stripe.a USING (true); \
             CREATE ROLE policed LOGIN; GRANT ALL ON SCHEMA stripe TO policed; \
             GRANT ALL ON ALL TABLES IN SCHEMA stripe TO policed; ALTER ROLE policed PASSWORD 'p'",
        )
        .await;
    let policed =
        Place { url: place.url.replacen("postgres@", "policed:p@", 1), schema: place.schema.clone() };
    let rows = |text: &str| {
        (0..5).map(|at| record("a", &format!(r#"{{"id":"{at}","t":"{text}","updated":1}}"#))).collect()
    };
    for text in ["one", "two"] {
        let back = policed.write(&catalog, rows(text)).await;
        assert_eq!((stream_errors(&back), back.len()), (Vec::new(), 5));
        assert_eq!(place.query("SELECT DISTINCT _raw_data->>'t' FROM stripe.a").await, [text]);
    }
}

#[tokio::test]
async fn a_batch_in_parts_is_whole_with_its_state() {
    let place = place().await;
    let catalog = catalog([plain_stream("a")]);
    place.setup(&catalog).await.unwrap();
    let padding = "x".repeat(100_000);
    let rows = |updated: usize| -> Vec<Message> {
        let row = |at| {
            record("a", &format!(r#"{{"id":"{at}","p":"{padding}","n":{updated},"updated":{updated}}}"#))
        };
        (0..30).map(row).chain([crate::harness::state("a", &updated.to_string())]).collect()
    };
    for updated in 1..4 {
        assert_eq!(place.write(&catalog, rows(updated)).await.len(), 31);
        let stored =
            "SELECT count(*) || ' ' || min(_raw_data->>'n') || ' ' || max(_raw_data->>'n') FROM stripe.a";
        assert_eq!(place.query(stored).await, [format!("30 {updated} {updated}")]);
        // In one transaction each, of which there were several.
        let parts = "SELECT count(DISTINCT xmin::text) > 1 FROM stripe.a";
        assert_eq!(place.query(parts).await, ["true"]);
        assert_eq!(place.state().await.unwrap().streams["a"].as_str(), updated.to_string());
    }
}
