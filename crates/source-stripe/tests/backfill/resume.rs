//! A read that is stopped anywhere goes on without a gap.

use std::collections::BTreeMap;

use protocol::{Payload, StreamStatus};
use stripe_simulator::Distribution;

use crate::reading::{Account, Said, newest, simulation};

/// Stops after each state in turn: what was emitted before it and what a read from it brings is everything.
async fn resume_from_every_state(account: &Account, table: &str) {
    let streams = account.streams(&[table]).await;
    let whole = account.read(streams.clone(), None).await;
    let truth = account.truth(table);
    assert_eq!(whole.rows_of(table), truth);
    let ceiling =
        whole.state.streams[table].read::<serde_json::Value>().unwrap()["accounted_range"]["lt"].clone();
    let mut before = Said::default();
    let mut resumed = 0;
    for message in whole.messages {
        let is_state = matches!(message.payload, Payload::SourceState(_));
        before.take(message);
        if !is_state {
            continue;
        }
        resumed += 1;
        let mut same_window = streams.clone();
        let lt = protocol::Timestamp::parse_bound(ceiling.as_str().unwrap()).unwrap();
        same_window.streams[0].time_range = Some(protocol::TimeRange { gte: None, lt: Some(lt) });
        // Once for the same window, and once for one that ends now, as a new run asks for.
        for streams in [&same_window, &streams] {
            let later = account.read(streams.clone(), Some(before.state.clone())).await;
            assert_eq!(later.end_of(table), &StreamStatus::Complete);
            let mut rows: BTreeMap<_, _> = before.rows_of(table);
            rows.extend(later.rows_of(table));
            assert_eq!(rows, truth, "{table} resumed from {}", before.state.streams[table].as_str());
        }
    }
    assert!(resumed >= 5, "only {resumed} states");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_read_in_ranges_resumes_from_every_state() {
    let catalog = newest();
    for distribution in [Distribution::Uniform, Distribution::Ties { per_second: 130 }] {
        let builder = simulation(&catalog).table("charge", 1_200).distribution(distribution).latency(3, 3);
        let account = Account::start(&catalog, builder).await;
        resume_from_every_state(&account, "charge").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_read_in_sequence_resumes_from_every_state() {
    let catalog = newest();
    let account = Account::start(&catalog, simulation(&catalog).table("terminal_location", 700)).await;
    resume_from_every_state(&account, "terminal_location").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v2_stream_resumes_from_every_state() {
    let catalog = newest();
    let table = "v2_core_account";
    let account = Account::start(&catalog, simulation(&catalog).table(table, 130)).await;
    resume_from_every_state(&account, table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_test_clocks_resumes_from_every_state() {
    let catalog = newest();
    let builder = simulation(&catalog).table("customer", 900).table("test_helpers_test_clock", 3);
    let account = Account::start(&catalog, builder).await;
    resume_from_every_state(&account, "customer").await;
}
