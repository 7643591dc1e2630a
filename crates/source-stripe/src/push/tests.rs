//! Everything together, against a simulated account.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, Running, Simulator};

use super::*;
use crate::source::StripeSource;

async fn account() -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let catalog = embedded::catalog(embedded::newest_version()).unwrap();
    Simulator::builder(catalog).start().await.unwrap()
}

fn config(running: &Running, changes: &Value) -> StripeConfig {
    let mut config = json!({
        "api_key": DEFAULT_API_KEY,
        "api_version": running.api_version(),
        "base_url": running.url(),
    });
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

fn client(config: &StripeConfig) -> Arc<Client> {
    Arc::new(StripeSource::default().client(&config.access().unwrap()).unwrap())
}

async fn opened(config: &StripeConfig) -> Result<(Inbox, Guard), ConnectorError> {
    open(config, &client(config)).await
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn an_inbox_stays_open_where_nothing_is_delivered() {
    let running = account().await;
    let (mut inbox, guard) = opened(&config(&running, &json!({}))).await.unwrap();
    assert!(matches!(inbox.try_recv(), Err(mpsc::error::TryRecvError::Empty)));
    drop(guard);
    assert!(inbox.recv().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_may_come_both_ways() {
    let running = account().await;
    let control = running.control();
    let port = port();
    let url = format!("http://127.0.0.1:{port}/");
    let mut config = config(&running, &json!({"webhook_port": port, "webhook_url": url, "websocket": true}));
    let missing = opened(&config).await.unwrap_err().to_string();
    assert!(missing.contains("run setup"), "{missing}");
    let events = ["customer.created".to_owned()].into();
    let wanted = endpoint::Wanted {
        url: config.webhook_url.as_ref().unwrap(),
        api_version: &config.api_version,
        events: &events,
        connect: false,
    };
    let registered = endpoint::register(&client(&config), &wanted, None).await.unwrap();
    config.webhook_secret = registered.secret;
    let (mut inbox, guard) = opened(&config).await.unwrap();
    let id = control.create("customer", json!({})).unwrap().id;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivered = inbox.recv().await.unwrap();
        assert!(delivered.event.as_str().contains(&id));
        let [event] = delivered.event.members(["id"]).unwrap();
        seen.push(event.unwrap().get().to_owned());
        assert_eq!(pushed(&delivered.event, None, 0).unwrap(), delivered.event, "it may be pushed as well");
        delivered.receipt.applied();
    }
    assert_eq!(seen[0], seen[1]);
    while control.pending_deliveries() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let taken = opened(&config).await.unwrap_err().to_string();
    assert!(taken.contains(&format!("webhook_port {port} is in use")), "{taken}");
    drop(guard);
    assert!(inbox.recv().await.is_none(), "all that delivers has ended");
}

#[tokio::test]
async fn a_key_that_may_not_is_told_so() {
    let running = account().await;
    let config = config(&running, &json!({"websocket": true, "api_key": "sk_test_other"}));
    let refused = opened(&config).await.unwrap_err();
    assert_eq!(refused.kind(), protocol::ErrorKind::Auth);
    assert!(refused.to_string().contains("opens no Stripe CLI session"), "{refused}");
}
