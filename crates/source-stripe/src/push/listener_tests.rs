use std::net::Ipv4Addr;

use serde_json::json;
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, DeliverySettings, Running, Simulator};
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::sync::DropGuard;

use super::super::signature::tests::sign;
use super::*;

const EVENT: &str = r#"{"id":"evt_1","object":"event","type":"customer.created","data":{}}"#;
const NOW: i64 = 1_700_000_000;

/// A listener, and what came to it.
struct Open {
    url: String,
    inbox: Receiver<Delivered>,
    _stop: DropGuard,
}

async fn open(room: usize, change: impl FnOnce(&mut Desk)) -> Open {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let url = format!("http://{}/any/path", listener.local_addr().unwrap());
    let (sender, inbox) = mpsc::channel(room);
    let mut desk = Desk::new(SecretString::from("whsec_1"), sender);
    desk.clock = || NOW;
    change(&mut desk);
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, desk, stop.clone()));
    Open { url, inbox, _stop: stop.drop_guard() }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn post(url: &str, body: &str, signature: &str) -> (u16, String) {
    let request = http().post(url).header("Stripe-Signature", signature).body(body.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn signed(body: &str) -> String {
    sign(body.as_bytes(), "whsec_1", NOW)
}

#[tokio::test]
async fn an_answer_waits_for_the_receipt() {
    let mut open = open(10, |_| {}).await;
    let asked = tokio::spawn({
        let url = open.url.clone();
        async move { post(&url, EVENT, &signed(EVENT)).await }
    });
    let delivered = open.inbox.recv().await.unwrap();
    assert_eq!(delivered.event.as_str(), EVENT);
    assert!(!asked.is_finished());
    delivered.receipt.applied();
    assert_eq!(asked.await.unwrap(), (200, r#"{"received":true}"#.to_owned()));
}

#[tokio::test]
async fn refusals_and_silence_are_told() {
    let mut open = open(10, |desk| desk.patience = Duration::from_millis(50)).await;
    let ask = || {
        let url = open.url.clone();
        tokio::spawn(async move { post(&url, EVENT, &signed(EVENT)).await })
    };
    let asked = [ask(), ask(), ask()];
    open.inbox.recv().await.unwrap().receipt.refused("the table is gone".to_owned());
    drop(open.inbox.recv().await.unwrap());
    let silent = open.inbox.recv().await.unwrap();
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    answers.sort();
    assert_eq!(answers[0], (500, "the table is gone".to_owned()));
    assert_eq!((answers[1].0, answers[2].0), (503, 503));
    // Nobody hears it any more.
    silent.receipt.applied();
}

#[tokio::test]
async fn what_does_not_fit_is_put_off() {
    let mut open = open(1, |_| {}).await;
    let first = tokio::spawn({
        let url = open.url.clone();
        async move { post(&url, EVENT, &signed(EVENT)).await }
    });
    while open.inbox.is_empty() {
        tokio::task::yield_now().await;
    }
    let request = http().post(&open.url).header("stripe-signature", signed(EVENT)).body(EVENT);
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    open.inbox.recv().await.unwrap().receipt.applied();
    assert_eq!(first.await.unwrap().0, 200);
    drop(open.inbox);
    assert_eq!(post(&open.url, EVENT, &signed(EVENT)).await.0, 503, "nobody reads");
}

#[tokio::test]
async fn what_is_no_webhook_of_ours_never_gets_in() {
    let open = open(10, |_| {}).await;
    let get = http().get(&open.url).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let bare = http().post(&open.url).body(EVENT).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 400);
    assert_eq!(bare.text().await.unwrap(), "Missing stripe-signature");
    let forged = post(&open.url, EVENT, &sign(EVENT.as_bytes(), "whsec_2", NOW)).await;
    assert!(forged.0 == 400 && forged.1.contains("secret matches"), "{forged:?}");
    let old = post(&open.url, EVENT, &sign(EVENT.as_bytes(), "whsec_1", NOW - 301)).await;
    assert_eq!(old, (400, "Webhook timestamp too old (301s > 300s tolerance)".to_owned()));
    let nonsense = post(&open.url, "[]", &signed("[]")).await;
    assert!(nonsense.0 == 400 && nonsense.1.starts_with("The body is no event"), "{nonsense:?}");
    let long = "x".repeat(MOST_BYTES + 1);
    assert_eq!(post(&open.url, &long, &signed(&long)).await.0, 413);
    assert!(open.inbox.is_empty());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).await.unwrap_err().to_string();
    assert!(error.contains(&format!("webhook_port {} is in use", address.port())), "{error}");
}

async fn account() -> Running {
    let catalog = embedded::catalog(embedded::newest_version()).unwrap();
    let settings = DeliverySettings { retry_ms: 5, ..DeliverySettings::default() };
    Simulator::builder(catalog).delivery(settings).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_delivers_until_it_is_told_that_an_event_is_applied() {
    let running = account().await;
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let form = [("url", url.as_str()), ("enabled_events[]", "customer.created")];
    let endpoints = format!("{}/v1/webhook_endpoints", running.url());
    let made = http().post(endpoints).bearer_auth(DEFAULT_API_KEY).form(&form).send().await.unwrap();
    let secret = made.json::<serde_json::Value>().await.unwrap()["secret"].as_str().unwrap().to_owned();
    let (sender, mut inbox) = mpsc::channel(10);
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    tokio::spawn(serve(listener, Desk::new(SecretString::from(secret), sender), stop));
    let id = running.control().create("customer", json!({})).unwrap().id;
    inbox.recv().await.unwrap().receipt.refused("not now".to_owned());
    drop(inbox.recv().await.unwrap());
    let delivered = inbox.recv().await.unwrap();
    assert!(delivered.event.as_str().contains(&id));
    delivered.receipt.applied();
    while running.control().pending_deliveries() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(inbox.is_empty());
}
