//! A pipeline over HTTP: from a simulated account into PostgreSQL.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use stripe_simulator::{Control, Running, Simulator};

/// The account's key.
pub(crate) const KEY: &str = "sk_test_plantedapikey";

/// The password in the address of the copy.
pub(crate) const PASSWORD: &str = "plantedpassword";

/// The tables that changes of the account touch.
const TABLES: [&str; 4] = ["customer", "product", "price", "charge"];

/// What takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulated account, all of whose changes are told by events.
pub(crate) async fn account() -> Running {
    let catalog = stripe_openapi::embedded::catalog(stripe_openapi::embedded::newest_version()).unwrap();
    let mut builder = Simulator::builder(catalog).api_key(KEY).unsaid_changes(0);
    for (table, count) in [("customer", 250), ("product", 20), ("price", 30), ("charge", 120)] {
        builder = builder.table(table, count);
    }
    builder.start().await.unwrap()
}

/// A running service, as its users see it, and the copy.
pub(crate) struct Shop {
    /// Where the service is.
    url: String,
    client: Client,
    /// Where the copy is.
    copy: String,
}

impl Shop {
    /// The service at `url`, whose copy is to be in the database `copy`.
    pub(crate) fn new(url: &str, copy: &str) -> Shop {
        // Clients want a provider of TLS; a second one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Shop { url: url.to_owned(), client: Client::new(), copy: copy.to_owned() }
    }

    /// What creates the pipeline, with an endpoint for webhooks.
    pub(crate) fn pipeline(&self, account: &Running, id: &str) -> Value {
        let source = json!({
            "api_key": KEY, "base_url": account.url(), "rate_limit": 2000, "endpoint_rate_limit": 2000, "events_lag": 1,
            "webhook_url": format!("{}/webhooks/{id}", self.url),
        });
        // Nobody asks for the password on this machine.
        let url = self.copy.replace("postgres@", &format!("postgres:{PASSWORD}@"));
        json!({
            "id": id, "streams": TABLES.map(|name| json!({"name": name})),
            "source": {"type": "stripe", "stripe": source},
            "destination": {"type": "postgres", "postgres": {"url": url, "schema": "stripe"}},
        })
    }

    /// Asks, and answers the status and the JSON of the answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
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

    /// Waits until the copy equals the account.
    pub(crate) async fn until_equal(&self, id: &str, control: &Control) {
        let mut why = None;
        for _ in 0..PATIENCE.as_millis() / 100 {
            why = self.difference(control).await;
            if why.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let now = self.ask(Method::GET, &format!("/pipelines/{id}"), None).await.1;
        panic!("{why:?}\n{now:#}");
    }

    /// The first table whose rows are not those of the account.
    pub(crate) async fn difference(&self, control: &Control) -> Option<String> {
        let (database, connection) =
            tokio_postgres::connect(&self.copy, tokio_postgres::NoTls).await.unwrap();
        let connected = tokio::spawn(connection);
        let mut found = None;
        for table in TABLES {
            let rows =
                database.query(&format!("select id, _raw_data::text from stripe.\"{table}\""), &[]).await;
            let stored = match rows {
                Ok(rows) => rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
                Err(error) => {
                    found = Some(
                        error
                            .as_db_error()
                            .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
                    );
                    break;
                }
            };
            found = different(control, table, stored);
            if found.is_some() {
                break;
            }
        }
        drop(database);
        // Its end says nothing.
        let _ = connected.await;
        found
    }
}

/// Where these rows are not those of the account.
fn different(control: &Control, table: &str, mut stored: Vec<(String, String)>) -> Option<String> {
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
