//! A simulated account that is copied while it changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use protocol::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, Message, Payload, RawJson, ReadRequest, Source,
};
use serde_json::{Value, json};
use source_stripe::{StripeConfig, StripeSource};
use stripe_openapi::{Catalog, embedded};
use stripe_simulator::{Control, DEFAULT_API_KEY, NestedLists, Running, Simulator, SimulatorBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::copy::Copy;

/// The newest catalog.
pub(crate) fn newest() -> Arc<Catalog> {
    embedded::catalog(embedded::newest_version()).unwrap()
}

pub(crate) fn simulation() -> SimulatorBuilder {
    Simulator::builder(newest()).unsaid_changes(0)
}

/// A simulated account, how to read it, and what was copied of it.
pub(crate) struct Account {
    pub(crate) running: Running,
    pub(crate) config: Value,
    pub(crate) streams: ConfiguredCatalog,
    pub(crate) copy: Arc<Mutex<Copy>>,
}

/// A read that has no end, until it is dropped: it is then cut wherever it is.
pub(crate) struct Live(JoinHandle<()>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Account {
    /// Starts an account of which `streams` are copied.
    pub(crate) async fn start(builder: SimulatorBuilder, streams: &[&str]) -> Account {
        let running = builder.start().await.unwrap();
        let config = json!({
            "api_key": DEFAULT_API_KEY,
            "api_version": newest().api_version,
            "base_url": running.url(),
            "rate_limit": 100_000,
            "endpoint_rate_limit": 100_000,
            "poll_events": true,
            "events_lag": 0,
            "poll_interval": 1,
        });
        let mut account =
            Account { running, config, streams: ConfiguredCatalog::default(), copy: Arc::default() };
        let mut config = account.config();
        config.account_id = Some("acct_x".to_owned());
        let mut messages = StripeSource::default().discover(config);
        let Payload::Catalog(CatalogMessage { streams: found }) =
            messages.next().await.unwrap().unwrap().payload
        else {
            panic!("no catalog");
        };
        let found = found.into_iter().filter(|stream| streams.contains(&&*stream.name));
        account.streams.streams = found.map(ConfiguredStream::whole).collect();
        assert_eq!(account.streams.streams.len(), streams.len());
        account
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Account {
        self.config[name] = value;
        self
    }

    pub(crate) fn control(&self) -> Control {
        self.running.control()
    }

    pub(crate) fn config(&self) -> StripeConfig {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    fn request(&self) -> (ReadRequest, watch::Sender<u64>) {
        let (sender, durable) = watch::channel(0);
        let state = Some(self.copy.lock().unwrap().state.clone());
        (ReadRequest { catalog: self.streams.clone(), state, input: None, durable: Some(durable) }, sender)
    }

    /// Reads once, to the end.
    pub(crate) async fn sync(&self) {
        let (request, _sender) = self.request();
        let mut messages = StripeSource::default().read(self.config(), request);
        while let Some(message) = messages.next().await {
            self.copy.lock().unwrap().take(&message.unwrap());
        }
    }

    /// Reads once, as [`Account::sync`] does, but holds back what was said.
    pub(crate) async fn held_back(&self) -> Vec<Message> {
        let (request, _sender) = self.request();
        let messages = StripeSource::default().read(self.config(), request);
        messages.map(Result::unwrap).collect().await
    }

    /// Stores what was said.
    pub(crate) fn take(&self, messages: &[Message]) {
        let mut copy = self.copy.lock().unwrap();
        messages.iter().for_each(|message| copy.take(message));
    }

    /// The events that are told now, oldest first.
    pub(crate) fn events(&self) -> Vec<RawJson> {
        let mut events = Vec::new();
        let visit = |text: &[u8]| events.push(RawJson::parse(text.to_vec()).unwrap());
        self.control().dump("event", NestedLists::Full, visit).unwrap();
        events
    }

    /// Pushes events into the source, and stores what it says.
    pub(crate) async fn push(&self, events: Vec<RawJson>) {
        let input = futures::stream::iter(events.into_iter().map(Ok)).boxed();
        let request =
            ReadRequest { catalog: self.streams.clone(), state: None, input: Some(input), durable: None };
        let messages = StripeSource::default().read(self.config(), request);
        let messages: Vec<Message> = messages.map(Result::unwrap).collect().await;
        self.take(&messages);
    }

    /// Begins to follow what changes.
    pub(crate) fn live(&self) -> Live {
        let (request, sender) = self.request();
        let mut config = self.config.clone();
        config["live"] = json!(true);
        let config: StripeConfig = serde_json::from_value(config).unwrap();
        let mut messages = StripeSource::default().read(config, request);
        let copy = Arc::clone(&self.copy);
        let before = copy.lock().unwrap().global_states;
        Live(tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                let mut copy = copy.lock().unwrap();
                copy.take(&message.unwrap());
                sender.send_replace(copy.global_states - before);
            }
        }))
    }

    /// What the account holds in a table.
    pub(crate) fn truth(&self, table: &str) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Id {
            id: String,
        }
        let mut truth = BTreeMap::new();
        let mut visit = |text: &[u8]| {
            let text = std::str::from_utf8(text).unwrap().to_owned();
            let id: Id = serde_json::from_str(&text).unwrap();
            truth.insert(id.id, text);
        };
        self.control().dump(table, NestedLists::Full, &mut visit).unwrap();
        if table == "account" {
            // Its list holds the others only.
            visit(&self.control().own_account());
        }
        truth
    }

    /// Where copy and account differ, in words.
    pub(crate) fn differences(&self) -> Vec<String> {
        let copy = self.copy.lock().unwrap();
        let mut found = Vec::new();
        for stream in &self.streams.streams {
            let table = &*stream.stream.name;
            let (truth, rows) = (self.truth(table), copy.rows(table));
            for (id, text) in &truth {
                match rows.get(id) {
                    None => found.push(format!("{table} {id} is missing")),
                    Some(row) if row != text => {
                        found.push(format!("{table} {id} is stale:\n  {row}\n  {text}"));
                    }
                    Some(_) => {}
                }
            }
            let extra = rows.keys().filter(|id| !truth.contains_key(*id));
            found.extend(extra.map(|id| format!("{table} {id} is a ghost")));
        }
        found
    }

    pub(crate) fn assert_equal(&self, when: &str) {
        let differences = self.differences();
        let some = &differences[..differences.len().min(4)];
        assert!(differences.is_empty(), "{when}: {} differences, e.g. {some:#?}", differences.len());
    }

    /// Waits until copy and account are equal.
    pub(crate) async fn settle(&self, when: &str) {
        for _ in 0..300 {
            if self.differences().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.assert_equal(when);
    }
}

/// Waits until the second is over in which this is called, and the next one.
pub(crate) async fn another_second() {
    tokio::time::sleep(Duration::from_millis(2_100)).await;
}
