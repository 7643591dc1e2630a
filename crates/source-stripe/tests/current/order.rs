//! Whatever the order in which changes are told, late ones and those of one second included, the last state counts.

use std::time::Duration;

use serde_json::json;
use stripe_simulator::Clock;

use crate::account::{Account, simulation};

const NOW: i64 = 1_900_000_000;

/// By how many seconds events are late at most: less than the overlap that is looked at again.
const LATE: u64 = 8;

/// An account that is copied, five seconds later.
async fn copied(stream: &str, count: u64) -> (Account, Clock) {
    let clock = Clock::manual(NOW);
    let builder = simulation().clock(clock.clone()).table(stream, count);
    let account = Account::start(builder, &[stream]).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    clock.advance(Duration::from_secs(5));
    (account, clock)
}

/// Changes what an object says; its event surfaces at once, or late.
fn change(account: &Account, table: &str, id: &str, state: &str, is_late: bool) {
    account.control().set_late_events(if is_late { 1.0 } else { 0.0 }, LATE);
    account.control().update(table, id, json!({"metadata": {"state": state}})).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_surface_late_are_found() {
    let (account, clock) = copied("customer", 20).await;
    for (number, id) in account.control().ids("customer").unwrap().iter().enumerate() {
        change(&account, "customer", id, "changed", number % 2 == 0);
    }
    clock.advance(Duration::from_secs(1));
    account.sync().await;
    assert!(!account.differences().is_empty(), "some events are late, or this tests nothing");
    clock.advance(Duration::from_secs(LATE));
    account.sync().await;
    account.assert_equal("after the late events");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_cursor_s_own_second_are_found() {
    let (account, clock) = copied("customer", 2).await;
    let ids = account.control().ids("customer").unwrap();
    change(&account, "customer", &ids[0], "before the look", false);
    account.sync().await;
    change(&account, "customer", &ids[1], "after it, within the same second", false);
    clock.advance(Duration::from_secs(5));
    account.sync().await;
    account.assert_equal("after both");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_seen_twice_have_no_effect() {
    let (account, clock) = copied("customer", 20).await;
    for id in account.control().ids("customer").unwrap() {
        change(&account, "customer", &id, "changed", false);
    }
    clock.advance(Duration::from_secs(1));
    account.sync().await;
    account.assert_equal("after the changes");
    let records = account.copy.lock().unwrap().records;
    account.control().reset_counters();
    clock.advance(Duration::from_secs(1));
    account.sync().await;
    assert_eq!(account.copy.lock().unwrap().records, records, "nothing changed since");
    assert_eq!(account.control().counters().requests_to("/v1/customers/{customer}"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_of_the_same_second_does_not_undo_the_last() {
    let (account, clock) = copied("invoice", 3).await;
    for id in account.control().ids("invoice").unwrap() {
        change(&account, "invoice", &id, "open", true);
        change(&account, "invoice", &id, "paid", false);
    }
    clock.advance(Duration::from_secs(1));
    account.sync().await;
    account.assert_equal("the first that surfaces is the last that happened");
    clock.advance(Duration::from_secs(LATE));
    account.sync().await;
    account.assert_equal("after the late events");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_second_in_any_order_end_in_the_last_state() {
    let (account, clock) = copied("invoice", 3).await;
    for id in account.control().ids("invoice").unwrap() {
        for state in ["draft", "open", "paid"] {
            change(&account, "invoice", &id, state, false);
        }
    }
    clock.advance(Duration::from_secs(60));
    let newest_first = account.events().into_iter().rev().collect();
    account.push(newest_first).await;
    account.assert_equal("after the push");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_page_nor_an_event_overwrites_what_is_newer() {
    let clock = Clock::manual(NOW);
    let account = Account::start(simulation().clock(clock.clone()).table("customer", 3), &["customer"]).await;
    let pages = account.held_back().await;
    let id = account.control().ids("customer").unwrap()[0].clone();
    clock.advance(Duration::from_secs(5));
    change(&account, "customer", &id, "first", false);
    let first = account.events();
    account.push(first.clone()).await;
    account.take(&pages);
    account.assert_equal("pages that were read before an event arrive behind it");

    clock.advance(Duration::from_secs(5));
    change(&account, "customer", &id, "second", false);
    clock.advance(Duration::from_secs(60));
    *account.copy.lock().unwrap() = Default::default();
    account.sync().await;
    account.push(first).await;
    account.assert_equal("an event arrives behind a page that is newer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_is_not_undone_by_what_arrives_later() {
    let clock = Clock::manual(NOW);
    let account = Account::start(simulation().clock(clock.clone()).table("customer", 3), &["customer"]).await;
    let pages = account.held_back().await;
    let id = account.control().ids("customer").unwrap()[0].clone();
    clock.advance(Duration::from_secs(5));
    change(&account, "customer", &id, "changed", false);
    clock.advance(Duration::from_secs(5));
    account.control().delete("customer", &id).unwrap();
    let mut events = account.events();
    let deleted = events.pop().unwrap();
    account.push(vec![deleted]).await;
    account.take(&pages);
    account.assert_equal("older pages arrive behind the delete");
    account.push(events).await;
    account.assert_equal("an older event arrives behind the delete");
}
