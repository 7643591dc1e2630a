//! What goes wrong on the way loses nothing and invents nothing.

use futures::StreamExt;
use protocol::{Payload, ReadRequest, Source, StreamStatus};
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::{Fault, FaultRule};

use crate::reading::{Account, Said, newest, simulation};

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_faults_loses_nothing() {
    let catalog = newest();
    let limited = |reason: &str| Fault::RateLimited { reason: reason.to_owned(), retry_after: None };
    let builder = simulation(&catalog)
        .objects(4_000)
        .fault(FaultRule::sometimes("*", 0.03, limited("global-rate")))
        .fault(FaultRule::sometimes("*", 0.02, limited("endpoint-concurrency")))
        .fault(FaultRule::sometimes("*", 0.03, Fault::Status(500)))
        .fault(FaultRule::sometimes("*", 0.03, Fault::Reset))
        .fault(FaultRule::sometimes("*", 0.03, Fault::Truncated { percent: 60 }))
        .fault(FaultRule::sometimes("*", 0.03, Fault::Html))
        .fault(FaultRule::sometimes("*", 0.03, Fault::ForeignJson))
        .fault(FaultRule::sometimes("*", 0.03, Fault::WithoutData));
    let account = Account::start(&catalog, builder).await;
    let said = account.read(account.streams(&[]).await, None).await;
    assert!(said.ends.values().all(|end| *end == StreamStatus::Complete), "{:?}", said.ends);
    for table in ["charge", "customer", "invoice", "balance_transaction", "product", "event"] {
        if catalog.resource(table).is_some_and(|resource| resource.list.is_some()) {
            assert_eq!(said.rows_of(table), account.truth(table), "{table}");
        }
    }
}

/// An object is deleted while it is the cursor of the next page.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_cursor_loses_nothing() {
    let catalog = newest();
    // The first list can be narrowed by time, the second cannot.
    for table in ["customer", "terminal_location"] {
        let builder = simulation(&catalog).table(table, 1_500);
        let mut account = Account::start(&catalog, builder).await;
        // Slow enough that the object is gone before the next page is asked for.
        account.config = json!({"endpoint_rate_limit": 5});
        let newest_first: Vec<String> = account.control().ids(table).unwrap().into_iter().rev().collect();
        let gone: Vec<&String> = newest_first.iter().skip(99).step_by(100).take(8).collect();
        let request =
            ReadRequest { catalog: account.streams(&[table]).await, state: None, input: None, durable: None };
        let mut messages = StripeSource::default().read(account.config(), request);
        let mut said = Said::default();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            if let Payload::Record(record) = &message.payload
                && let Some(id) =
                    gone.iter().find(|id| record.data.as_str().contains(&format!("\"id\":\"{id}\"")))
                && account.control().get(table, id).unwrap().is_some()
            {
                account.control().delete(table, id).unwrap();
            }
            said.take(message);
        }
        assert_eq!(said.end_of(table), &StreamStatus::Complete);
        let rows = said.rows_of(table);
        for (id, text) in account.truth(table) {
            assert_eq!(rows.get(&id), Some(&text), "{table} {id}");
        }
        let counters = account.control().counters();
        let missed = counters.endpoints.values().map(|endpoint| {
            endpoint.by_status.get(&400).copied().unwrap_or(0)
                + endpoint.by_status.get(&404).copied().unwrap_or(0)
        });
        assert!(missed.sum::<u64>() > 0, "{table}: no cursor was gone, so this tests nothing");
    }
}

/// A stored page token that has expired.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_page_token_loses_nothing() {
    let catalog = newest();
    let table = "v2_core_event_destination";
    let account = Account::start(&catalog, simulation(&catalog).table(table, 90)).await;
    let streams = account.streams(&[table]).await;
    let said = account.read(streams.clone(), None).await;
    assert_eq!(said.rows_of(table).len(), 90);
    let text = said.state.streams[table].as_str();
    let range: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut left = range["accounted_range"].clone();
    left["cursor"] = json!("an-old-token");
    let state = json!({"accounted_range": range["accounted_range"], "remaining": [left]});
    let mut stored = said.state.clone();
    stored.streams.insert(table.to_owned(), protocol::RawJson::from_value(&state).unwrap());
    let again = account.read(streams, Some(stored)).await;
    assert_eq!(again.end_of(table), &StreamStatus::Complete);
    assert_eq!(again.rows_of(table), account.truth(table));
}

/// What never becomes a list is an error in the end, and never an empty page.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_method_is_told_at_once_and_said_so() {
    let catalog = newest();
    let builder = simulation(&catalog)
        .table("charge", 10)
        .table("refund", 10)
        .fault(FaultRule::always("/v1/charges", Fault::Status(404)));
    let account = Account::start(&catalog, builder).await;
    let said = account.read(account.streams(&["charge", "refund"]).await, None).await;
    assert!(matches!(said.end_of("charge"), StreamStatus::Error { .. }));
    assert_eq!(said.end_of("refund"), &StreamStatus::Complete);
    assert!(!said.state.streams.contains_key("charge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_messages_stops_the_requests() {
    let catalog = newest();
    let account = Account::start(&catalog, simulation(&catalog).table("charge", 50_000).latency(5, 0)).await;
    let request =
        ReadRequest { catalog: account.streams(&["charge"]).await, state: None, input: None, durable: None };
    let mut messages = StripeSource::default().read(account.config(), request);
    for _ in 0..300 {
        messages.next().await.unwrap().unwrap();
    }
    drop(messages);
    // Whatever was on its way arrives; then all is quiet.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let before = account.control().counters().requests;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(account.control().counters().requests, before);
    assert!(before < 500);
}
