//! A pipeline over HTTP: from a simulated account into PostgreSQL.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stripe_simulator::{Control, Running};

pub(crate) use crate::asking::KEY;
use crate::asking::{Api, TABLES, different, simulation};

/// The password in the address of the copy.
pub(crate) const PASSWORD: &str = "plantedpassword";

/// A simulated account, all of whose changes are told by events.
pub(crate) async fn account() -> Running {
    simulation().unsaid_changes(0).start().await.unwrap()
}

/// A running service, as its users see it, and the copy.
pub(crate) struct Shop {
    api: Api,
    /// Where the copy is.
    copy: String,
}

impl Shop {
    /// The service at `url`, whose copy is to be in the database `copy`.
    pub(crate) fn new(url: &str, copy: &str) -> Shop {
        Shop { api: Api::at(url), copy: copy.to_owned() }
    }

    /// What creates the pipeline, with an endpoint for webhooks.
    pub(crate) fn pipeline(&self, account: &Running, id: &str) -> Value {
        let source = json!({
            "api_key": KEY, "base_url": account.url(), "rate_limit": 2000, "endpoint_rate_limit": 2000, "events_lag": 1,
            "webhook_url": format!("{}/webhooks/{id}", self.api.url),
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
        self.api.ask(method, path, body).await
    }

    /// Waits until the pipeline is as it should be.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.api.until(id, is_so).await
    }

    /// Waits until the copy equals the account.
    pub(crate) async fn until_equal(&self, id: &str, control: &Control) {
        self.api.until_equal(id, async || self.difference(control).await).await;
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
