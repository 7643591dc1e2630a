//! A simulated platform, the accounts that are connected to it, and a copy of some of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use protocol::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, ConnectionStatus, Message, Payload, ReadRequest,
    Source, SourceState,
};
use serde_json::{Value, json};
use source_stripe::{StripeConfig, StripeSource};
use stripe_openapi::{Catalog, embedded};
use stripe_simulator::{Control, DEFAULT_API_KEY, NestedLists, Running, Simulator, SimulatorBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::copy::Copy;

pub(crate) fn newest() -> Arc<Catalog> {
    embedded::catalog(embedded::newest_version()).unwrap()
}

/// A platform with customers and charges, and so many accounts with some more.
pub(crate) fn simulation(connected: u64) -> SimulatorBuilder {
    let builder = Simulator::builder(newest()).unsaid_changes(0).table("customer", 30).table("charge", 20);
    builder.connected(connected, &[("customer", 230), ("charge", 40)])
}

/// A platform, how it is read, and what was copied.
pub(crate) struct Platform {
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

impl Platform {
    pub(crate) async fn start(builder: SimulatorBuilder, streams: &[&str]) -> Platform {
        let running = builder.start().await.unwrap();
        let config = json!({
            "api_key": DEFAULT_API_KEY,
            "api_version": newest().api_version,
            "base_url": running.url(),
            "accounts": "all",
            "rate_limit": 100_000,
            "endpoint_rate_limit": 100_000,
            "poll_events": true,
            "events_lag": 0,
            "poll_interval": 1,
        });
        let mut platform =
            Platform { running, config, streams: ConfiguredCatalog::default(), copy: Arc::default() };
        platform.streams.streams = platform
            .discover()
            .await
            .into_iter()
            .filter(|found| streams.contains(&&*found.stream.name))
            .collect();
        assert_eq!(platform.streams.streams.len(), streams.len());
        platform
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Platform {
        self.config[name] = value;
        self
    }

    pub(crate) fn config(&self) -> StripeConfig {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    pub(crate) fn control(&self) -> Control {
        self.running.control()
    }

    /// The platform's own id.
    pub(crate) fn own(&self) -> String {
        self.control().account_id()
    }

    /// The ids of the connected accounts.
    pub(crate) fn connected(&self) -> Vec<String> {
        self.control().ids("account").unwrap()
    }

    pub(crate) async fn discover(&self) -> Vec<ConfiguredStream> {
        let message = StripeSource::default().discover(self.config()).next().await.unwrap().unwrap();
        let Payload::Catalog(CatalogMessage { streams }) = message.payload else { panic!("no catalog") };
        streams.into_iter().map(ConfiguredStream::whole).collect()
    }

    pub(crate) async fn check(&self) -> ConnectionStatus {
        let message = StripeSource::default().check(self.config()).next().await.unwrap().unwrap();
        let Payload::ConnectionStatus(status) = message.payload else { panic!("no status") };
        status
    }

    pub(crate) fn state(&self) -> SourceState {
        self.copy.lock().unwrap().state.clone()
    }

    fn request(&self) -> (ReadRequest, watch::Sender<u64>) {
        let (sender, durable) = watch::channel(0);
        let state = Some(self.state());
        (ReadRequest { catalog: self.streams.clone(), state, input: None, durable: Some(durable) }, sender)
    }

    /// Reads once, to the end; answers what was said.
    pub(crate) async fn sync(&self) -> Vec<Message> {
        let (request, _sender) = self.request();
        let mut messages = StripeSource::default().read(self.config(), request);
        let mut said = Vec::new();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            self.copy.lock().unwrap().take(&message);
            said.push(message);
        }
        said
    }

    /// Applies what is pushed.
    pub(crate) async fn push(&self, input: Vec<Value>) {
        let input = input.into_iter().map(|event| Ok(protocol::RawJson::from_value(&event).unwrap()));
        let (mut request, _sender) = self.request();
        request.input = Some(Box::pin(futures::stream::iter(input.collect::<Vec<_>>())));
        let mut messages = StripeSource::default().read(self.config(), request);
        while let Some(message) = messages.next().await {
            self.copy.lock().unwrap().take(&message.unwrap());
        }
    }

    /// Begins to follow what changes.
    pub(crate) fn live(&self) -> Live {
        let (request, sender) = self.request();
        let mut config = self.config.clone();
        config["live"] = json!(true);
        let mut messages = StripeSource::default().read(serde_json::from_value(config).unwrap(), request);
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

    /// What an account holds in a table.
    pub(crate) fn truth(&self, account: &str, table: &str) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Id {
            id: String,
        }
        let mut truth = BTreeMap::new();
        let visit = |text: &[u8]| {
            let text = std::str::from_utf8(text).unwrap().to_owned();
            let id: Id = serde_json::from_str(&text).unwrap();
            truth.insert(id.id, text);
        };
        self.control().account(account).unwrap().dump(table, NestedLists::Full, visit).unwrap();
        truth
    }

    /// Where copy and accounts differ, in words.
    pub(crate) fn differences(&self, accounts: &[String]) -> Vec<String> {
        let copy = self.copy.lock().unwrap();
        let mut found = Vec::new();
        for stream in &self.streams.streams {
            let table = &*stream.stream.name;
            for account in accounts {
                let (truth, rows) = (self.truth(account, table), copy.rows(table, account));
                let ids = truth.keys().chain(rows.keys().filter(|id| !truth.contains_key(*id)));
                let differing = ids.filter(|id| truth.get(*id) != rows.get(*id));
                found.extend(differing.map(|id| format!("{table} {id} of {account}: {:?}", rows.get(id))));
            }
        }
        found
    }

    /// Fails unless the copy holds exactly what these accounts hold.
    #[track_caller]
    pub(crate) fn assert_equal(&self, accounts: &[String], when: &str) {
        let differences = self.differences(accounts);
        let some = &differences[..differences.len().min(4)];
        assert!(differences.is_empty(), "{when}: {} differences, e.g. {some:#?}", differences.len());
    }

    /// Waits until copy and accounts are equal.
    pub(crate) async fn settle(&self, accounts: &[String], when: &str) {
        wait_until(|| self.differences(accounts).is_empty()).await;
        self.assert_equal(accounts, when);
    }
}

/// Waits until something is so, or for too long.
pub(crate) async fn wait_until(so: impl Fn() -> bool) {
    for _ in 0..400 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the second is over in which this is called, and the next one.
pub(crate) async fn another_second() {
    tokio::time::sleep(Duration::from_millis(2_100)).await;
}
