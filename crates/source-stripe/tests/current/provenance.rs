//! Rows say on request what wrote them.

use std::time::Duration;

use serde_json::json;
use stripe_simulator::Clock;

use crate::account::{Account, newest, simulation};

const STREAMS: [&str; 5] =
    ["customer", "customer_balance_transaction", "product", "subscription", "subscription_item"];

async fn account(provenance: bool) -> (Account, Clock) {
    let clock = Clock::manual(1_900_000_000);
    let builder = ["customer", "product", "subscription"]
        .into_iter()
        .fold(simulation().clock(clock.clone()), |builder, table| builder.table(table, 20));
    let account = Account::start(builder, &STREAMS).await;
    (account.with("provenance", json!(provenance)).with("revalidate_objects", json!(["product"])), clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_say_which_page_reading_or_event_wrote_them() {
    let (account, clock) = account(true).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    let under = "/v1/customers/{customer}/balance_transactions";
    let lists = ["/v1/customers", under, "/v1/products", "/v1/subscriptions", "/v1/subscriptions"];
    for (stream, list) in STREAMS.into_iter().zip(lists) {
        let sources = account.copy.lock().unwrap().sources(stream);
        assert!(!sources.is_empty(), "{stream} has no rows");
        let page = format!("page {list} req_");
        for (id, source) in sources {
            assert!(source.as_ref().is_some_and(|source| source.starts_with(&page)), "{id}: {source:?}");
        }
    }

    clock.advance(Duration::from_secs(5));
    let control = account.control();
    let first = |table: &str| control.ids(table).unwrap()[0].clone();
    for table in ["customer", "product", "subscription"] {
        control.update(table, &first(table), json!({"metadata": {"changed": "yes"}})).unwrap();
    }
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after the changes");
    let events = control.ids("event").unwrap();
    let source = |stream: &str, id: &str| {
        let sources = account.copy.lock().unwrap().sources(stream);
        sources[id].clone().unwrap_or_else(|| panic!("{stream} {id} does not say it"))
    };
    for table in ["customer", "subscription"] {
        let source = source(table, &first(table));
        let event = source.strip_prefix("event ").unwrap_or_else(|| panic!("{table}: {source}"));
        assert!(events.iter().any(|id| id == event), "{table}: {source}");
    }
    let subscription = control.get("subscription", &first("subscription")).unwrap().unwrap();
    let item = subscription["items"]["data"][0]["id"].as_str().unwrap();
    assert_eq!(source("subscription_item", item), source("subscription", &first("subscription")));
    let path = newest().resource("product").unwrap().retrieve_path.clone().unwrap();
    let source = source("product", &first("product"));
    assert!(source.starts_with(&format!("read {path} req_")), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unasked_they_say_nothing() {
    let (account, _) = account(false).await;
    account.sync().await;
    for stream in STREAMS {
        assert!(account.copy.lock().unwrap().sources(stream).into_values().all(|source| source.is_none()));
    }
}
