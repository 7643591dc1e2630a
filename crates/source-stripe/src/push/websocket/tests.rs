//! The WebSocket of a simulated account.

use std::time::Duration;

use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{
    DEFAULT_API_KEY, DeliverySettings, Fault, FaultRule, Running, Simulator, SimulatorBuilder, When,
};
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::config::StripeConfig;
use crate::source::StripeSource;

struct Feed {
    running: Running,
    inbox: Receiver<Delivered>,
    _task: AbortOnDropHandle<()>,
}

impl Feed {
    async fn open(settings: DeliverySettings, room: usize) -> Feed {
        Feed::open_with(|simulator| simulator.delivery(settings), room).await
    }

    async fn open_with(change: impl FnOnce(SimulatorBuilder) -> SimulatorBuilder, room: usize) -> Feed {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        let running = change(Simulator::builder(catalog)).start().await.unwrap();
        let config = json!({
            "api_key": DEFAULT_API_KEY,
            "api_version": running.api_version(),
            "base_url": running.url(),
        });
        let config: StripeConfig = serde_json::from_value(config).unwrap();
        let client = Arc::new(StripeSource::default().client(&config.access().unwrap()).unwrap());
        let session = first_session(&client, false).await.unwrap();
        let (sender, inbox) = mpsc::channel(room);
        let task = AbortOnDropHandle::new(tokio::spawn(run(client, false, session, sender)));
        Feed { running, inbox, _task: task }
    }

    /// Makes customers and answers their ids.
    fn make(&self, count: u64) -> Vec<String> {
        self.running.control().create_many("customer", count).unwrap()
    }

    /// The customer of the next event, which is applied.
    async fn next(&mut self) -> String {
        let delivered = self.inbox.recv().await.unwrap();
        delivered.receipt.applied();
        let event: Value = serde_json::from_str(delivered.event.as_str()).unwrap();
        event["data"]["object"]["id"].as_str().unwrap().to_owned()
    }

    /// Reads events until each of `ids` has come.
    async fn all(&mut self, mut ids: Vec<String>) {
        while !ids.is_empty() {
            let id = self.next().await;
            ids.retain(|other| *other != id);
        }
    }

    /// Waits until all events are acknowledged.
    async fn acknowledged(&self) {
        while self.running.control().pending_deliveries() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_order_and_are_acknowledged_before_they_are_applied() {
    let mut feed = Feed::open(DeliverySettings::default(), 10).await;
    let ids = feed.make(3);
    feed.acknowledged().await;
    for id in ids {
        assert_eq!(feed.next().await, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_holds_up_the_socket_and_loses_nothing() {
    let mut feed = Feed::open(DeliverySettings::default(), 1).await;
    let ids = feed.make(20);
    for id in ids {
        assert_eq!(feed.next().await, id);
    }
    feed.acknowledged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_again() {
    let settings = DeliverySettings { break_after: 2, ..DeliverySettings::default() };
    let mut feed = Feed::open(settings, 100).await;
    let mut ids = feed.make(9);
    // It breaks before anything is acknowledged, so the same events come again.
    let mut seen = Vec::new();
    loop {
        let id = feed.next().await;
        if seen.contains(&id) {
            break;
        }
        seen.push(id);
    }
    feed.running.control().set_delivery(DeliverySettings::default());
    ids.retain(|id| !seen.contains(id));
    feed.all(ids).await;
    feed.acknowledged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_renewed_and_a_session_replaced() {
    let settings = DeliverySettings { reconnect_seconds: 1, ..DeliverySettings::default() };
    let mut feed = Feed::open(settings, 100).await;
    // Long enough for several connections.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let ids = feed.make(2);
        feed.all(ids).await;
    }
    feed.running.control().end_sessions();
    // Events of a time without a session are told to nobody: more are made until one comes.
    let found = loop {
        feed.make(1);
        if let Ok(id) = tokio::time::timeout(Duration::from_millis(100), feed.next()).await {
            break id;
        }
    };
    assert!(found.starts_with("cus_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_had_at_once_is_asked_for_again() {
    let attempts = u64::from(BRIEF) + 2;
    let fault = FaultRule {
        path: "/v1/stripecli/sessions".to_owned(),
        when: When::First(attempts),
        fault: Fault::Status(503),
    };
    let mut feed = Feed::open_with(|simulator| simulator.fault(fault), 100).await;
    while feed.running.control().counters().with_status(200) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ids = feed.make(1);
    feed.all(ids).await;
}
