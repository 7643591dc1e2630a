//! What happens over time, by a clock that the test moves.

use std::time::Duration;

use protocol::{Message, Payload, SourceStateMessage};
use serde_json::json;
use stripe_simulator::Clock;

use crate::account::{Account, simulation};

const NOW: i64 = 1_900_000_000;
const DAY: u64 = 24 * 3600;

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_stripe_s_events_reads_everything_again() {
    let clock = Clock::manual(NOW);
    let builder = simulation().clock(clock.clone()).table("customer", 30).table("product", 10);
    let account = Account::start(builder, &["customer", "product"]).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    for id in account.control().ids("customer").unwrap().iter().take(7) {
        account.control().update("customer", id, json!({"metadata": {"changed": "yes"}})).unwrap();
    }
    clock.advance(Duration::from_secs(31 * DAY));
    account
        .control()
        .update("product", &account.control().ids("product").unwrap()[0], json!({"active": false}))
        .unwrap();
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after a pause of 31 days");
    let copy = account.copy.lock().unwrap();
    assert!(
        copy.logs.iter().any(|line| line.contains("30 days") && line.contains("reconcile")),
        "{:?}",
        copy.logs
    );
    let started = &copy.starts["customer"];
    assert!(started.as_deref().is_some_and(|reason| reason.contains("30 days")), "{started:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_from_objects_goes_however_often_their_reading_is_interrupted() {
    let clock = Clock::manual(NOW);
    let builder = simulation().clock(clock.clone()).table("subscription", 450);
    let account = Account::start(builder, &["subscription", "subscription_item"]).await;
    account.sync().await;
    for id in account.control().ids("subscription_item").unwrap().iter().step_by(7) {
        account.control().delete("subscription_item", id).unwrap();
    }
    clock.advance(Duration::from_secs(31 * DAY));
    for _ in 0..2 {
        let said = account.held_back().await;
        let is_state = |message: &Message| {
            matches!(&message.payload, Payload::SourceState(SourceStateMessage::Stream { .. }))
        };
        // What was forgotten, of both streams, and a page of both.
        let states: Vec<usize> = (0..said.len()).filter(|at| is_state(&said[*at])).collect();
        account.take(&said[..=states[3]]);
    }
    let reason = account.copy.lock().unwrap().starts["subscription"].clone();
    assert!(reason.is_some_and(|reason| reason.contains("goes on")));
    account.sync().await;
    account.assert_equal("after a pause of 31 days");
    let state = account.copy.lock().unwrap().state.global.as_str().to_owned();
    assert!(!state.contains("anew"), "it is over: {state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_reliable_events_are_read_again_on_a_schedule() {
    let clock = Clock::manual(NOW);
    let builder = simulation()
        .clock(clock.clone())
        .table("tax_rate", 20)
        .table("terminal_location", 10)
        .table("shipping_rate", 10)
        .table("balance_transaction", 10)
        .table("account", 4)
        .unsaid_changes(100);
    let streams = [
        "tax_rate",
        "terminal_location",
        "shipping_rate",
        "balance_transaction",
        "account",
        "external_account",
    ];
    let account = Account::start(builder, &streams).await.with("live", json!(true));
    let live = account.live();
    account.settle("after the backfill").await;
    let control = account.control();
    let first = |table: &str| control.ids(table).unwrap()[0].clone();
    control
        .update("terminal_location", &first("terminal_location"), json!({"display_name": "moved"}))
        .unwrap();
    control.create("shipping_rate", json!({})).unwrap();
    // Older ones do not change any more.
    let young = control.create("balance_transaction", json!({})).unwrap().id;
    clock.advance(Duration::from_secs(3_700));
    for _ in 0..100 {
        if account.differences().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    account.assert_equal("what is new, and short lists, come with the hour");
    control.update("balance_transaction", &young, json!({"status": "available", "net": 1})).unwrap();
    for table in ["tax_rate", "shipping_rate", "account"] {
        control.update(table, &first(table), json!({"metadata": {"changed": "unsaid"}})).unwrap();
    }
    let accounts = control.get("account", &first("account")).unwrap().unwrap();
    if let Some(child) = accounts["external_accounts"]["data"][0]["id"].as_str() {
        control.delete("external_account", child).unwrap();
    }
    clock.advance(Duration::from_secs(24 * 3_600));
    account.settle("all of them come with the day").await;
    drop(live);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_account_costs_a_request_for_each_look() {
    let clock = Clock::manual(NOW);
    let builder = simulation()
        .clock(clock.clone())
        .table("customer", 5)
        .table("tax_rate", 5)
        .table("v2_core_account", 5);
    for (streams, lists) in [(vec!["customer", "tax_rate"], 1), (vec!["customer", "v2_core_account"], 2)] {
        let account = Account::start(builder.clone(), &streams).await;
        let live = account.live();
        account.settle("after the backfill").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        account.control().reset_counters();
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(live);
        let counters = account.control().counters();
        // Looks are a second apart here, and a minute by default.
        assert!(counters.requests <= 6 * lists, "{counters:?}");
        let looks = counters.requests_to("/v1/events") + counters.requests_to("/v2/core/events");
        assert_eq!(counters.requests, looks, "nothing else is asked for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_cost_a_request_each_at_most() {
    let old = stripe_openapi::embedded::catalog("2023-10-16").unwrap();
    let builder = simulation().table("customer", 1_000).events_version(old);
    let account = Account::start(builder, &["customer", "customer_balance_transaction"]).await;
    account.sync().await;
    let control = account.control();
    for id in control.ids("customer").unwrap() {
        for change in ["one", "two"] {
            control.update("customer", &id, json!({"metadata": {"changed": change}})).unwrap();
        }
    }
    crate::account::another_second().await;
    control.reset_counters();
    account.sync().await;
    account.assert_equal("after the changes");
    let counters = control.counters();
    let children = counters.requests_to("/v1/customers/{customer}/balance_transactions");
    // What is read less than two seconds after a change may have to be read again; the rest are lists of events.
    assert!((1_000..=1_050).contains(&counters.requests_to("/v1/customers/{customer}")), "{counters:?}");
    assert!((1_000..=1_050).contains(&children), "{counters:?}");
    assert!(counters.requests <= 2 * 1_050, "{counters:?}");
}
