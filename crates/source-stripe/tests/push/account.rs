//! A simulated account, and pipelines that are set up with it.

use futures::StreamExt;
use protocol::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, ConnectorError, Control, Message, Payload, Source,
};
use serde_json::{Map, Value, json};
use source_stripe::{StripeConfig, StripeSource};
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, Running, Simulator};

pub(crate) const URL: &str = "https://example.com/hook";

/// A simulated account.
pub(crate) struct Account {
    pub(crate) running: Running,
}

impl Account {
    pub(crate) async fn start() -> Account {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        let old = embedded::catalog("2024-06-20").unwrap();
        Account { running: Simulator::builder(catalog).also_serve(old).start().await.unwrap() }
    }

    /// A pipeline as a user configures it.
    pub(crate) fn pipeline(&self, changes: &Value) -> Pipeline {
        let mut config = json!({
            "api_key": DEFAULT_API_KEY,
            "api_version": self.running.api_version(),
            "base_url": self.running.url(),
            "webhook_url": URL,
        });
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        let Value::Object(config) = config else { panic!("{config}") };
        Pipeline { config }
    }

    /// All endpoints, oldest first.
    pub(crate) fn endpoints(&self) -> Vec<Value> {
        let control = self.running.control();
        let ids = control.ids("webhook_endpoint").unwrap();
        ids.iter().map(|id| control.get("webhook_endpoint", id).unwrap().unwrap()).collect()
    }

    /// The only endpoint.
    pub(crate) fn endpoint(&self) -> Value {
        let mut endpoints = self.endpoints();
        assert_eq!(endpoints.len(), 1, "{endpoints:?}");
        endpoints.remove(0)
    }

    /// Registers an endpoint as others do; answers it with its secret.
    pub(crate) async fn post(&self, form: &[(&str, &str)]) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}/v1/webhook_endpoints", self.running.url()));
        request.bearer_auth(DEFAULT_API_KEY).form(form).send().await.unwrap().json().await.unwrap()
    }
}

/// A pipeline: keeps its configuration as whoever runs it would.
pub(crate) struct Pipeline {
    pub(crate) config: Map<String, Value>,
}

/// What a setup or teardown said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The lines of the log, one after the other.
    pub(crate) log: String,
    pub(crate) controls: usize,
    pub(crate) error: Option<ConnectorError>,
}

impl Pipeline {
    fn config(&self) -> StripeConfig {
        serde_json::from_value(Value::Object(self.config.clone())).unwrap()
    }

    pub(crate) fn secret(&self) -> &str {
        self.config["webhook_secret"].as_str().unwrap()
    }

    pub(crate) async fn set_up(&mut self, streams: &[&str]) -> Said {
        let config = self.config();
        let mut known = config.clone();
        known.account_id = Some("acct_x".to_owned());
        let mut messages = StripeSource::default().discover(known);
        let Payload::Catalog(CatalogMessage { streams: all }) =
            messages.next().await.unwrap().unwrap().payload
        else {
            panic!("no catalog");
        };
        let selected = all.into_iter().filter(|stream| streams.contains(&&*stream.name));
        let catalog = ConfiguredCatalog { streams: selected.map(ConfiguredStream::whole).collect() };
        let messages = StripeSource::default().setup(config, catalog).unwrap();
        self.hear(messages.collect().await)
    }

    pub(crate) async fn tear_down(&mut self) -> Said {
        let messages = StripeSource::default().teardown(self.config()).unwrap();
        self.hear(messages.collect().await)
    }

    fn hear(&mut self, messages: Vec<Result<Message, ConnectorError>>) -> Said {
        let mut said = Said { log: String::new(), controls: 0, error: None };
        for message in messages {
            match message.map(|message| message.payload) {
                Ok(Payload::Control(Control::SourceConfig { source_config })) => {
                    self.config = source_config;
                    said.controls += 1;
                }
                Ok(Payload::Log(log)) => said.log += &format!("{}\n", log.message),
                Ok(other) => panic!("{other:?}"),
                Err(error) => said.error = Some(error),
            }
        }
        said
    }
}
