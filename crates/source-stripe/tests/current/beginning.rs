//! Nothing is lost between the backfill and what follows it.

use std::time::Duration;

use futures::StreamExt;
use protocol::{Payload, ReadRequest, Source};
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::Clock;

use crate::account::{Account, simulation};

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_during_the_backfill_arrives() {
    let clock = Clock::manual(1_900_000_000);
    let builder = simulation().clock(clock.clone()).table("customer", 500);
    let account = Account::start(builder, &["customer"]).await;
    let request = ReadRequest { catalog: account.streams.clone(), state: None, input: None, durable: None };
    let mut messages = StripeSource::default().read(account.config(), request);
    let mut changed = false;
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        account.take(std::slice::from_ref(&message));
        if changed || !matches!(message.payload, Payload::Record(_)) {
            continue;
        }
        // One that was read already changes, another goes, a third is new.
        changed = true;
        clock.advance(Duration::from_secs(2));
        let control = account.control();
        let read = account.copy.lock().unwrap().rows("customer").into_keys().next().unwrap();
        control.update("customer", &read, json!({"name": "Changed meanwhile"})).unwrap();
        let other = control.ids("customer").unwrap().into_iter().find(|id| *id != read).unwrap();
        control.delete("customer", &other).unwrap();
        control.create("customer", json!({})).unwrap();
    }
    assert!(!account.differences().is_empty(), "nothing changed meanwhile, so this tests nothing");
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after the next read");
}
