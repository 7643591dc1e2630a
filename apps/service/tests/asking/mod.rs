//! What the tests of both orchestrators share: the account, asking a service, and comparing a copy with the account.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use stripe_simulator::{Control, Simulator, SimulatorBuilder};

/// The key of the account.
pub(crate) const KEY: &str = "sk_test_plantedapikey";

/// The tables that changes of the account touch.
pub(crate) const TABLES: [&str; 4] = ["customer", "product", "price", "charge"];

/// What takes longer than this does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A simulated account.
pub(crate) fn simulation() -> SimulatorBuilder {
    let catalog = stripe_openapi::embedded::catalog(stripe_openapi::embedded::newest_version()).unwrap();
    let mut builder = Simulator::builder(catalog).api_key(KEY);
    for (table, count) in [("customer", 250), ("product", 20), ("price", 30), ("charge", 120)] {
        builder = builder.table(table, count);
    }
    builder
}

/// A running service, as its users see it.
pub(crate) struct Api {
    /// Where it is.
    pub(crate) url: String,
    client: Client,
}

impl Api {
    pub(crate) fn at(url: &str) -> Api {
        // Clients want a provider of TLS; a second one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Api { url: url.to_owned(), client: Client::new() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Asks, and answers the status and the JSON of the answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Waits until the pipeline is as it should be.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..PATIENCE.as_millis() / 50 {
            last = self.ask(Method::GET, &format!("/pipelines/{id}"), None).await.1;
            if is_so(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = self.ask(Method::GET, &format!("/pipelines/{id}/logs"), None).await.1;
        panic!("{id} is not as it should be: {last:#}\n{log}");
    }

    /// Waits until the copy of a pipeline differs from the account in nothing.
    pub(crate) async fn until_equal(&self, id: &str, difference: impl AsyncFn() -> Option<String>) {
        let mut why = None;
        for _ in 0..PATIENCE.as_millis() / 100 {
            why = difference().await;
            if why.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let now = self.ask(Method::GET, &format!("/pipelines/{id}"), None).await.1;
        panic!("{why:?}\n{now:#}");
    }
}

/// Where these rows of a table, ids and objects, are not those of the account.
pub(crate) fn different(control: &Control, table: &str, mut stored: Vec<(String, String)>) -> Option<String> {
    stored.sort();
    let mut ids = control.ids(table).unwrap();
    ids.sort();
    if stored.iter().map(|(id, _)| id).ne(&ids) {
        return Some(format!("{table}: {} rows of {}", stored.len(), ids.len()));
    }
    stored.into_iter().find_map(|(id, text)| {
        let (mut row, mut object): (Value, Value) =
            (serde_json::from_str(&text).unwrap(), control.get(table, &id).unwrap().unwrap());
        for own in ["_updated_at", "_account_id"] {
            row.as_object_mut().unwrap().remove(own);
        }
        // Nested lists are compared elsewhere.
        for each in [&mut row, &mut object] {
            each.as_object_mut().unwrap().retain(|_, value| value.get("object") != Some(&json!("list")));
        }
        (row != object).then(|| format!("{table} {id}:\n{row}\n{object}"))
    })
}
