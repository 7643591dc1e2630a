//! Events that are delivered: webhooks, the WebSocket, and what others push.

use std::time::Duration;

use futures::StreamExt;
use protocol::{Payload, RawJson, ReadRequest, Source};
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::DeliverySettings;

use crate::account::{Account, simulation};
use crate::polling::STIRRED;

/// A free port, as far as that can be known.
fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn settings() -> DeliverySettings {
    DeliverySettings {
        dropped: 0.1,
        duplicated: 0.3,
        delayed: 0.3,
        delay_ms: 400,
        retry_ms: 100,
        ..DeliverySettings::default()
    }
}

async fn stirred() -> Account {
    let builder = ["customer", "product", "price", "coupon", "subscription", "invoice", "charge"]
        .into_iter()
        .fold(simulation(), |builder, table| builder.table(table, 20));
    Account::start(builder.delivery(settings()), &STIRRED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_tells_what_changes() {
    // The log is looked at so seldom that what arrives in time came over the socket.
    let account = stirred().await.with("websocket", json!(true)).with("poll_interval", json!(5));
    let live = account.live();
    account.settle("after the backfill").await;
    for round in 20..23 {
        account.control().stir(round, 40).unwrap();
        account.settle("after a stir").await;
        account.control().end_sessions();
    }
    drop(live);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_tell_what_changes_and_are_answered_once_it_is_stored() {
    let port = free_port();
    let mut account = stirred().await.with("webhook_url", json!(format!("http://127.0.0.1:{port}/hooks")));
    account = account.with("webhook_port", json!(port)).with("poll_interval", json!(600));
    let mut setup = StripeSource::default().setup(account.config(), account.streams.clone()).unwrap();
    while let Some(message) = setup.next().await {
        if let Payload::Control(protocol::Control::SourceConfig { source_config }) = message.unwrap().payload
        {
            account.config = source_config.into();
        }
    }
    let live = account.live();
    account.settle("after the backfill").await;
    account.control().set_delivery(DeliverySettings { dropped: 0.0, ..settings() });
    account.control().stir(30, 60).unwrap();
    account.settle("after a stir").await;
    for _ in 0..200 {
        if account.control().pending_deliveries() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(account.control().pending_deliveries(), 0, "every delivery was answered");
    drop(live);
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_events_are_applied_without_a_backfill() {
    let account = Account::start(simulation().table("customer", 20), &["customer"]).await;
    account.sync().await;
    let control = account.control();
    let ids = control.ids("customer").unwrap();
    control.update("customer", &ids[0], json!({"name": "New"})).unwrap();
    control.delete("customer", &ids[1]).unwrap();
    control.create("customer", json!({})).unwrap();
    let events = account.events();
    assert_eq!(events.len(), 3);
    control.reset_counters();
    account.push(events).await;
    account.assert_equal("after the push");
    assert!(control.counters().requests <= 1, "only the account is asked for: {:?}", control.counters());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_of_stripe_s_is_refused() {
    let account = Account::start(simulation().table("customer", 2), &["customer"]).await;
    let account = account.with("webhook_secret", json!("whsec_test"));
    for (input, expected) in [
        (json!({"id": 1}), "event"),
        (json!({"body": "{}", "headers": {"stripe-signature": "t=1,v1=00"}}), "signature"),
        (json!({"body": "{}", "headers": {}}), "signature"),
    ] {
        let input = futures::stream::iter([Ok(RawJson::from_value(&input).unwrap())]).boxed();
        let request =
            ReadRequest { catalog: account.streams.clone(), state: None, input: Some(input), durable: None };
        let messages: Vec<_> = StripeSource::default().read(account.config(), request).collect().await;
        let error = messages.into_iter().find_map(Result::err).expect("it is refused");
        assert!(error.to_string().to_lowercase().contains(expected), "{error}");
    }
}
