//! Every object of every stream arrives, as it is.

use protocol::{Payload, StreamStatus, TimeRange, Timestamp};
use serde_json::json;
use stripe_openapi::embedded;
use stripe_openapi::knowledge::lists::{Remedy, hidden_rows};
use stripe_simulator::Distribution;

use crate::reading::{Account, newest, simulation};

/// Whether some rows of the table cannot be listed at all.
fn hides_for_good(table: &str, version: &str) -> bool {
    hidden_rows(table, version).any(|hidden| hidden.remedy == Remedy::Nothing)
}

async fn all_streams_are_complete(version: &str) {
    let catalog = embedded::catalog(version).unwrap();
    let builder = simulation(&catalog).objects(4_000).oddities(true).pretty(true);
    let account = Account::start(&catalog, builder).await;
    let said = account.read(account.streams(&[]).await, None).await;
    assert_eq!(said.connection, None);
    for (resource, _) in catalog.listable() {
        let table = resource.table.as_str();
        assert_eq!(said.end_of(table), &StreamStatus::Complete, "{version} {table}");
        let mut truth = account.truth(table);
        let mut rows = said.rows_of(table);
        if table == "account" {
            // The account of the key itself is in no list.
            assert!(rows.remove("acct_1SimB7WZ01zgkWwI").is_some(), "{version}: the own account is missing");
        }
        if hides_for_good(table, version) {
            truth.retain(|id, _| rows.contains_key(id));
        }
        assert_eq!(rows.len(), truth.len(), "{version} {table}");
        for (id, text) in &truth {
            assert_eq!(rows.get(id), Some(text), "{version} {table} {id}");
        }
    }
    assert!(said.rows.len() >= 20, "{version}: only {} streams held rows", said.rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_the_newest_version() {
    all_streams_are_complete(embedded::newest_version()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_2020_08_27() {
    all_streams_are_complete("2020-08-27").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_the_oldest_version() {
    all_streams_are_complete(embedded::versions().last().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_objects_in_one_second_all_arrive() {
    let catalog = newest();
    let ties = Distribution::Ties { per_second: 350 };
    // Every second is full, so that whatever the list is split at divides none.
    let builder = simulation(&catalog).table("charge", 7_000).distribution(ties);
    let builder = builder.span(1_700_000_000, 1_700_000_020).latency(10, 5);
    let account = Account::start(&catalog, builder).await;
    let said = account.read(account.streams(&["charge"]).await, None).await;
    assert_eq!(said.rows_of("charge").len(), 7_000);
    assert_eq!(said.rows_of("charge"), account.truth("charge"));
    assert_eq!(said.records, 7_000, "none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_stream_costs_few_requests() {
    let catalog = newest();
    let account =
        Account::start(&catalog, simulation(&catalog).table("customer", 20_000).latency(20, 5)).await;
    let said = account.read(account.streams(&["customer"]).await, None).await;
    assert_eq!(said.rows_of("customer").len(), 20_000);
    let mut requests = account.control().counters().requests_to("/v1/customers");
    // The lists for each test clock are lists of their own.
    requests -= account.control().count("test_helpers_test_clock").unwrap();
    assert!(requests as f64 <= 1.05 * 200.0 + 3.0, "{requests} requests");
    let states = said.messages.iter().filter_map(|message| match &message.payload {
        Payload::SourceState(protocol::SourceStateMessage::Stream { data, .. }) => Some(data.len()),
        _ => None,
    });
    let rows: usize = said.rows_of("customer").values().map(String::len).sum();
    let states: usize = states.sum();
    assert!(states <= rows / 8 + 4096, "states of {states} bytes for rows of {rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_exact_and_a_wider_range_reads_only_what_is_new() {
    let catalog = newest();
    let builder = simulation(&catalog).table("charge", 3_000).span(1_700_000_000, 1_700_003_000);
    let account = Account::start(&catalog, builder).await;
    let range = |gte: i64, lt: i64| {
        let second = |seconds| Some(Timestamp::from_unix_seconds(seconds));
        Some(TimeRange { gte: second(gte), lt: second(lt) })
    };
    let mut streams = account.streams(&["charge"]).await;
    streams.streams[0].time_range = range(1_700_001_000, 1_700_002_000);
    let mut said = account.read(streams.clone(), None).await;
    assert_eq!(said.rows_of("charge").len(), 1_000);

    // The same range written in another way has nothing to do, and costs nothing.
    let before = account.control().counters().requests_to("/v1/charges");
    let lenient = |text: &str| Some(Timestamp::parse_bound(text).unwrap());
    streams.streams[0].time_range =
        Some(TimeRange { gte: lenient("2023-11-14T23:30:00+01:00"), lt: lenient("2023-11-14T22:46:39.5Z") });
    let again = account.read(streams.clone(), Some(said.state.clone())).await;
    assert_eq!((again.records, again.end_of("charge")), (0, &StreamStatus::Complete));
    assert_eq!(account.control().counters().requests_to("/v1/charges"), before);
    assert!(again.state.streams.is_empty(), "nothing was done, so nothing is remembered");

    streams.streams[0].time_range = range(1_700_000_500, 1_700_002_700);
    let wider = account.read(streams, Some(said.state.clone())).await;
    assert_eq!(wider.records, 500 + 700);
    said.absorb(wider);
    let mut truth = account.truth("charge");
    truth.retain(|_, text| {
        let created: Created = serde_json::from_str(text).unwrap();
        (1_700_000_500..1_700_002_700).contains(&created.created)
    });
    assert_eq!(said.rows_of("charge"), truth);
}

#[derive(serde::Deserialize)]
struct Created {
    created: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_takes_the_newest_and_lifting_it_reads_the_rest() {
    let catalog = newest();
    let builder = simulation(&catalog).table("charge", 700).table("apple_pay_domain", 250);
    let account = Account::start(&catalog, builder).await;
    let mut streams = account.streams(&["charge", "apple_pay_domain"]).await;
    for stream in &mut streams.streams {
        stream.backfill_limit = Some(120);
    }
    let mut said = account.read(streams.clone(), None).await;
    assert_eq!(said.records, 240);
    assert_eq!(said.end_of("charge"), &StreamStatus::Complete);
    let newest: Vec<String> = account.control().ids("charge").unwrap().into_iter().rev().take(120).collect();
    assert!(newest.iter().all(|id| said.rows_of("charge").contains_key(id)));
    for stream in &mut streams.streams {
        stream.backfill_limit = None;
    }
    let rest = account.read(streams, Some(said.state.clone())).await;
    said.absorb(rest);
    assert_eq!(said.rows_of("charge"), account.truth("charge"));
    assert_eq!(said.rows_of("apple_pay_domain"), account.truth("apple_pay_domain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_streams_are_complete() {
    let catalog = newest();
    let account = Account::start(&catalog, simulation(&catalog)).await;
    let said = account.read(account.streams(&[]).await, None).await;
    assert!(said.ends.len() > catalog.listable().count(), "child streams end too");
    assert!(said.ends.values().all(|end| *end == StreamStatus::Complete), "{:?}", said.ends);
    let remaining = &said.state.streams["charge"];
    assert!(remaining.as_str().ends_with(r#""remaining":[]}"#), "{}", remaining.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_completes_the_configuration() {
    use protocol::Source;
    let catalog = newest();
    let account = Account::start(&catalog, simulation(&catalog)).await;
    let source = source_stripe::StripeSource::default();
    let messages =
        protocol::run_to_end(source.setup(account.config(), account.streams(&[]).await).unwrap()).await;
    let Payload::Control(protocol::Control::SourceConfig { source_config }) = &messages.unwrap()[0].payload
    else {
        panic!("no control message");
    };
    assert_eq!(source_config["account_id"], "acct_1SimB7WZ01zgkWwI");
    assert_eq!(source_config["account_created"], 1_672_531_200);
    assert_eq!(source_config["rate_limit"], json!(100_000));
    let known: source_stripe::StripeConfig =
        serde_json::from_value(serde_json::Value::from(source_config.clone())).unwrap();
    let messages =
        protocol::run_to_end(source.setup(known, account.streams(&[]).await).unwrap()).await.unwrap();
    assert_eq!(messages, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_account_is_refused() {
    use protocol::Source;
    let catalog = newest();
    let mut account = Account::start(&catalog, simulation(&catalog)).await;
    // As a pipeline knows it whose key is replaced.
    account.config = json!({"account_id": "acct_other", "account_created": 1_600_000_000});
    let source = source_stripe::StripeSource::default();
    let set_up =
        protocol::run_to_end(source.setup(account.config(), account.streams(&[]).await).unwrap()).await;
    let error = set_up.unwrap_err();
    assert_eq!(error.kind(), protocol::ErrorKind::Config);
    assert!(error.to_string().starts_with("the API key belongs to acct_1SimB7WZ01zgkWwI, but"), "{error}");
    let checked = protocol::run_to_end(source.check(account.config())).await.unwrap_err();
    assert!(checked.to_string().contains(&error.to_string()), "{checked}");
}
