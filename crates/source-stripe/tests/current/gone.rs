//! What is gone in Stripe goes from the copy.

use std::time::Duration;

use serde_json::json;
use stripe_openapi::knowledge::events::deletes;
use stripe_simulator::Clock;

use crate::account::{Account, newest, simulation};

const NOW: i64 = 1_900_000_000;

/// The streams with a list of their own whose events tell of deletes.
fn deletable() -> Vec<String> {
    let catalog = newest();
    let listed = catalog.listable().map(|(resource, _)| resource);
    let told = listed.filter(|resource| resource.events.iter().any(|event| deletes(&event.name)));
    told.map(|resource| resource.table.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_that_tells_of_a_delete_deletes() {
    let clock = Clock::manual(NOW);
    let tables = deletable();
    assert!(tables.len() >= 10, "{tables:?}");
    let builder = simulation().clock(clock.clone());
    let builder = tables.iter().fold(builder, |builder, table| builder.table(table, 3));
    let names: Vec<&str> = tables.iter().map(String::as_str).collect();
    let account = Account::start(builder, &names).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    for table in &tables {
        let id = account.control().ids(table).unwrap()[0].clone();
        account.control().delete(table, &id).unwrap();
    }
    clock.advance(Duration::from_secs(5));
    account.control().reset_counters();
    account.sync().await;
    account.assert_equal("after the deletes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_read_again_and_gone_is_deleted() {
    let clock = Clock::manual(NOW);
    // Of a deleted customer Stripe answers that it is deleted, of a plan that there is none.
    let tables = ["customer", "plan"];
    let builder = simulation().clock(clock.clone()).table("customer", 3).table("plan", 3);
    let account = Account::start(builder, &tables).await;
    account.sync().await;
    clock.advance(Duration::from_secs(5));
    for table in tables {
        let id = account.control().ids(table).unwrap()[0].clone();
        // Two changes within a second: which one was the last only a reading tells.
        account.control().update(table, &id, json!({"metadata": {"changed": "yes"}})).unwrap();
        account.control().delete(table, &id).unwrap();
    }
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after the deletes");
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_their_parent_no_longer_holds_go() {
    let clock = Clock::manual(NOW);
    let builder = simulation().clock(clock.clone()).table("subscription", 10).table("invoice", 10);
    let streams = ["subscription", "subscription_item", "invoice", "line_item"];
    let account = Account::start(builder, &streams).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    clock.advance(Duration::from_secs(5));
    for child in ["subscription_item", "line_item"] {
        for id in account.control().ids(child).unwrap().iter().take(4) {
            account.control().delete(child, id).unwrap();
        }
    }
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after some were taken away");
}
