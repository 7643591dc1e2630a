//! Reading a simulated account and sorting what was said.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, ConnectionState, Message, Payload, ReadRequest,
    Source, SourceState, StreamStatus,
};
use serde_json::{Value, json};
use source_stripe::{StripeConfig, StripeSource};
use stripe_openapi::{Catalog, embedded};
use stripe_simulator::{Control, DEFAULT_API_KEY, NestedLists, Running, Simulator, SimulatorBuilder};

/// The newest catalog.
pub(crate) fn newest() -> Arc<Catalog> {
    embedded::catalog(embedded::newest_version()).unwrap()
}

/// A simulation of `catalog`'s version, to be filled.
pub(crate) fn simulation(catalog: &Arc<Catalog>) -> SimulatorBuilder {
    Simulator::builder(Arc::clone(catalog))
}

/// A simulated account and how to read it.
pub(crate) struct Account {
    pub(crate) running: Running,
    pub(crate) catalog: Arc<Catalog>,
    /// Changes to the configuration.
    pub(crate) config: Value,
}

impl Account {
    pub(crate) async fn start(catalog: &Arc<Catalog>, builder: SimulatorBuilder) -> Account {
        let running = builder.start().await.unwrap();
        Account { running, catalog: Arc::clone(catalog), config: json!({}) }
    }

    pub(crate) fn control(&self) -> Control {
        self.running.control()
    }

    pub(crate) fn config(&self) -> StripeConfig {
        let mut config = json!({
            "api_key": DEFAULT_API_KEY,
            "api_version": self.catalog.api_version,
            "base_url": self.running.url(),
            "rate_limit": 100_000,
            "endpoint_rate_limit": 100_000,
        });
        for (name, value) in self.config.as_object().unwrap() {
            config[name] = value.clone();
        }
        serde_json::from_value(config).unwrap()
    }

    /// The discovered streams called `names`; all for none.
    pub(crate) async fn streams(&self, names: &[&str]) -> ConfiguredCatalog {
        let mut config = self.config();
        config.account_id = Some("acct_x".to_owned());
        let mut messages = StripeSource::default().discover(config);
        let Payload::Catalog(CatalogMessage { streams }) = messages.next().await.unwrap().unwrap().payload
        else {
            panic!("no catalog");
        };
        let wanted = |name: &str| names.is_empty() || names.contains(&name);
        let streams = streams.into_iter().filter(|stream| wanted(&stream.name));
        ConfiguredCatalog { streams: streams.map(ConfiguredStream::whole).collect() }
    }

    /// Reads to the end.
    pub(crate) async fn read(&self, catalog: ConfiguredCatalog, state: Option<SourceState>) -> Said {
        let request = ReadRequest { catalog, state, input: None, durable: None };
        let mut messages = StripeSource::default().read(self.config(), request);
        let mut said = Said::default();
        while let Some(message) = messages.next().await {
            said.take(message.unwrap());
        }
        said
    }

    /// What the account holds in a table: each object's text by its id.
    pub(crate) fn truth(&self, table: &str) -> BTreeMap<String, String> {
        let mut truth = BTreeMap::new();
        let visit = |text: &[u8]| {
            let text = std::str::from_utf8(text).unwrap().to_owned();
            let id: Id = serde_json::from_str(&text).unwrap();
            truth.insert(id.id, text);
        };
        self.control().dump(table, NestedLists::Full, visit).unwrap();
        truth
    }
}

#[derive(serde::Deserialize)]
struct Id {
    id: String,
}

/// What a read said.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) messages: Vec<Message>,
    /// Per stream and id, the last record's text without the stamp.
    pub(crate) rows: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) records: usize,
    pub(crate) state: SourceState,
    pub(crate) ends: BTreeMap<String, StreamStatus>,
    pub(crate) connection: Option<String>,
}

impl Said {
    pub(crate) fn take(&mut self, message: Message) {
        match &message.payload {
            Payload::Record(record) => {
                self.records += 1;
                let text = record.data.as_str();
                let stamp = text.rfind("\"_updated_at\":").unwrap();
                assert!(text[stamp..].contains("\"_account_id\":\"acct_"), "{text}");
                let row = format!("{}}}", text[..stamp].trim_end_matches(','));
                let id: Id = serde_json::from_str(&row).unwrap();
                self.rows.entry(record.stream.to_string()).or_default().insert(id.id, row);
            }
            Payload::SourceState(state) => self.state.apply(state),
            Payload::StreamStatus(status) if status.status.is_terminal() => {
                let before = self.ends.insert(status.stream.to_string(), status.status.clone());
                assert_eq!(before, None, "{} ended twice", status.stream);
            }
            Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
                self.connection = status.message.clone();
            }
            _ => {}
        }
        self.messages.push(message);
    }

    pub(crate) fn end_of(&self, stream: &str) -> &StreamStatus {
        self.ends.get(stream).unwrap_or_else(|| panic!("{stream} did not end"))
    }

    pub(crate) fn rows_of(&self, stream: &str) -> BTreeMap<String, String> {
        self.rows.get(stream).cloned().unwrap_or_default()
    }

    /// Takes in a later read of the same account.
    pub(crate) fn absorb(&mut self, later: Said) {
        for (stream, rows) in later.rows {
            self.rows.entry(stream).or_default().extend(rows);
        }
        self.records += later.records;
        self.state = later.state;
        self.ends = later.ends;
    }
}
