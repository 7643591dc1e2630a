//! What changes in the accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::StreamStatus;
use serde_json::{Value, json};

use crate::platform::{Live, Platform, another_second, simulation, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_each_account_arrive_with_the_next_read() {
    let platform = Platform::start(simulation(3), &["account", "charge", "customer"]).await;
    let mut all = [vec![platform.own()], platform.connected()].concat();
    platform.sync().await;
    for (number, account) in all.iter().enumerate() {
        let control = platform.control().account(account).unwrap();
        let customers = control.ids("customer").unwrap();
        control.update("customer", &customers[number], json!({"name": "changed"})).unwrap();
        control.delete("customer", &customers[number + 1]).unwrap();
        control.create("customer", json!({})).unwrap();
    }
    another_second().await;
    let mut platform = platform;
    platform.sync().await;
    platform.streams.streams.retain(|stream| &*stream.stream.name != "account");
    platform.assert_equal(&all, "after changes");
    // Connected meanwhile.
    all.push(platform.control().create("account", json!({})).unwrap().id);
    platform.control().account(&all[4]).unwrap().create("customer", json!({})).unwrap();
    platform.sync().await;
    platform.assert_equal(&all, "with a new account");
    assert_eq!(platform.copy.lock().unwrap().rows("customer", &all[4]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_each_account_arrive_live() {
    let platform = Platform::start(simulation(4), &["charge", "customer"]).await;
    let all = [vec![platform.own()], platform.connected()].concat();
    let live = platform.live();
    platform.settle(&all, "after the backfill").await;
    for account in &all {
        platform.control().account(account).unwrap().stir(1, 20).unwrap();
    }
    platform.settle(&all, "after a stir").await;
    drop(live);
    for account in &all[1..3] {
        platform.control().account(account).unwrap().stir(2, 20).unwrap();
    }
    let _live = platform.live();
    platform.settle(&all, "after an interruption").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_ends_live_is_told() {
    let platform = Platform::start(simulation(2), &["customer"]).await;
    let accounts = platform.connected();
    let platform = platform.with("accounts", json!(accounts));
    let live = platform.live();
    platform.settle(&accounts, "after the backfill").await;
    let ends = || platform.copy.lock().unwrap().ends("customer");
    wait_until(|| !ends().is_empty()).await;
    platform.control().revoke(&accounts[0]).unwrap();
    wait_until(|| ends().len() > 1).await;
    let ends = ends();
    assert_eq!(ends[0], StreamStatus::Complete);
    let StreamStatus::Error { error } = &ends[1] else { panic!("{ends:?}") };
    assert!(error.starts_with(&accounts[0]), "{error}");
    platform.control().account(&accounts[1]).unwrap().create("customer", json!({})).unwrap();
    platform.settle(&accounts[1..], "the other goes on").await;
    drop(live);
}

/// An idle account costs one look at its log in each interval.
#[tokio::test(flavor = "multi_thread")]
async fn idle_accounts_cost_one_request_per_interval() {
    let platform =
        Platform::start(simulation(5), &["charge", "customer"]).await.with("poll_interval", json!(2));
    let all = [vec![platform.own()], platform.connected()].concat();
    let live = platform.live();
    platform.settle(&all, "after the backfill").await;
    another_second().await;
    platform.control().reset_counters();
    tokio::time::sleep(Duration::from_secs(6)).await;
    drop(live);
    let mut costs: BTreeMap<&String, u64> = BTreeMap::new();
    for account in &all {
        let counters = platform.control().account(account).unwrap().counters();
        assert_eq!(counters.requests, counters.requests_to("/v1/events"), "{account}");
        costs.insert(account, counters.requests);
    }
    assert!(costs.values().all(|requests| (2..=4).contains(requests)), "{costs:?}");
}

/// The events of an account, oldest first.
fn events(platform: &Platform, account: &str) -> Vec<Value> {
    let mut events: Vec<Value> =
        platform.truth(account, "event").values().map(|text| serde_json::from_str(text).unwrap()).collect();
    events.sort_by_key(|event| event["created"].as_i64());
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_goes_to_its_account() {
    let platform = Platform::start(simulation(3), &["customer"]).await;
    let all = [vec![platform.own()], platform.connected()].concat();
    platform.sync().await;
    let mut input = Vec::new();
    for account in &all {
        platform.control().account(account).unwrap().create("customer", json!({})).unwrap();
        input.extend(events(&platform, account));
    }
    assert_eq!(input.len(), 4);
    assert_eq!(input[1]["account"], json!(all[1]));
    platform.push(input.clone()).await;
    platform.assert_equal(&all, "after a push");
    // Nobody asked for these.
    let platform = platform.with("accounts", json!(all[..2]));
    let last = platform.control().account(&all[3]).unwrap().create("customer", json!({})).unwrap().id;
    platform.push(events(&platform, &all[3])).await;
    assert!(!platform.copy.lock().unwrap().rows("customer", &all[3]).contains_key(&last));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_follower_loses_nothing() {
    let platform = Platform::start(simulation(3), &["charge", "customer"]).await;
    let all = [vec![platform.own()], platform.connected()].concat();
    for round in 0..6 {
        let live: Live = platform.live();
        for (number, account) in all.iter().enumerate() {
            platform.control().account(account).unwrap().stir(round * 10 + number as u64, 8).unwrap();
        }
        // Cut in the middle of whatever it does.
        tokio::time::sleep(Duration::from_millis(40 + 130 * round)).await;
        drop(live);
    }
    let _live = platform.live();
    platform.settle(&all, "at last").await;
}

/// A port that nobody uses at the moment.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Registers an endpoint for connected accounts; answers its secret.
async fn register(platform: &Platform, port: u16) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = [
        ("url", format!("http://127.0.0.1:{port}/")),
        ("connect", "true".to_owned()),
        ("enabled_events[]", "customer.created".to_owned()),
    ];
    let request = http.post(format!("{}/v1/webhook_endpoints", platform.running.url()));
    let answer = request.bearer_auth(stripe_simulator::DEFAULT_API_KEY).form(&form).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["secret"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_go_to_their_accounts_and_make_new_ones_known() {
    let builder = simulation(2);
    let platform = Platform::start(builder, &["customer"]).await;
    let port = free_port();
    let secret = register(&platform, port).await;
    let platform = platform
        .with("webhook_port", json!(port))
        .with("webhook_secret", secret)
        .with("poll_interval", json!(3600));
    let mut all = [vec![platform.own()], platform.connected()].concat();
    let _live = platform.live();
    platform.settle(&all, "after the backfill").await;
    for account in &all[1..] {
        platform.control().account(account).unwrap().create("customer", json!({})).unwrap();
    }
    // Nothing is polled for an hour.
    platform.settle(&all, "by webhooks").await;
    wait_until(|| platform.control().pending_deliveries() == 0).await;
    assert_eq!(platform.control().pending_deliveries(), 0, "all of them were answered");
    let connected = platform.control().create("account", json!({})).unwrap().id;
    // The last look was long enough ago.
    tokio::time::sleep(Duration::from_secs(11)).await;
    platform.control().account(&connected).unwrap().create("customer", json!({})).unwrap();
    all.push(connected);
    platform.settle(&all, "with an account that nobody knew").await;
    assert_eq!(platform.copy.lock().unwrap().rows("customer", &all[3]).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_tells_of_all_accounts() {
    let platform = Platform::start(simulation(2), &["customer"]).await;
    let platform = platform.with("websocket", json!(true)).with("poll_interval", json!(3600));
    let all = [vec![platform.own()], platform.connected()].concat();
    let _live = platform.live();
    platform.settle(&all, "after the backfill").await;
    for account in &all {
        platform.control().account(account).unwrap().create("customer", json!({})).unwrap();
    }
    platform.settle(&all, "by the WebSocket").await;
}
