//! A service that is served, over a store, with a simulated Stripe account to read from.

use std::sync::Arc;
use std::time::Duration;

use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use engine::api::Build;
use engine::process::{Programs, Search};
use engine::remote::RemoteEngine;
use engine::{Engine, Registry};
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use service::api::{ApiOptions, router};
use service::engines::Engines;
use service::guard::Guard;
use service::orchestrator::{Embedded, EmbeddedOptions, Pace};
use service::service::Service;
use service::steps::Steps;
use service::store::Store;
use service::vault::{MasterKeys, Vault};
use source_stripe::StripeSource;
use stripe_simulator::{Control, Running};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::asking::{Api, different, simulation};
pub(crate) use crate::asking::{KEY, PATIENCE, TABLES};

pub(crate) const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Where the store is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept {
    File,
    Postgres,
}

/// A simulated account.
pub(crate) async fn account() -> Running {
    simulation().start().await.unwrap()
}

/// A service, stopped when it is dropped.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) steps: Steps,
    pub(crate) folder: TempDir,
    api: Api,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

pub(crate) fn vault() -> Vault {
    Vault::new(MasterKeys::parse(MASTER_KEY, "the test").unwrap())
}

/// Where a service is, before it serves.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    /// Where connectors that are programs are looked for, if they are.
    pub(crate) programs: Option<Search>,
    /// Where the engine is, if it is elsewhere.
    pub(crate) elsewhere: Option<String>,
    postgres: Option<String>,
}

impl Place {
    pub(crate) async fn new(kept: Kept) -> Place {
        let postgres = match kept {
            Kept::File => None,
            Kept::Postgres => Some(test_utils::postgres::shared_database().await),
        };
        Place { folder: TempDir::new().unwrap(), programs: None, elsewhere: None, postgres }
    }

    pub(crate) async fn store(&self) -> Store {
        match &self.postgres {
            None => Store::file(&self.folder.path().join("service.db"), vault()).await.unwrap(),
            Some(url) => Store::postgres(&SecretString::from(url.clone()), vault()).await.unwrap(),
        }
    }

    /// What carries pipelines on, as one process has it.
    pub(crate) async fn steps(&self) -> (Steps, Engine) {
        let mut registry = Registry::new()
            .with_source(StripeSource::default())
            .with_destination(SqliteDestination)
            .with_destination(PostgresDestination);
        if let Some(search) = self.programs.clone() {
            registry = registry.with_programs(Programs::new(search));
        }
        let engine = Engine::new(registry);
        let engines = match &self.elsewhere {
            None => Engines::Here(engine.clone()),
            Some(url) => Engines::There(RemoteEngine::new(url, None).unwrap()),
        };
        (Steps::new(self.store().await, engines), engine)
    }
}

/// Often enough for a test.
pub(crate) fn pace() -> Pace {
    Pace { follow: Duration::from_millis(300), reconcile: None }
}

impl Served {
    /// A service in files that does nothing by itself.
    pub(crate) async fn idle() -> Served {
        let guard = Guard { any_address: true, ..Guard::default() };
        Served::with(Place::new(Kept::File).await, None, false, guard).await
    }

    pub(crate) async fn start(kept: Kept) -> Served {
        Served::with(
            Place::new(kept).await,
            Some(pace()),
            false,
            Guard { any_address: true, ..Guard::default() },
        )
        .await
    }

    /// Serves over `place`, with an orchestrator if there is a pace, and tokens if they are needed.
    pub(crate) async fn with(place: Place, pace: Option<Pace>, token_required: bool, guard: Guard) -> Served {
        let (steps, engine) = place.steps().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Api::at(&format!("http://{}", listener.local_addr().unwrap()));
        let stop = CancellationToken::new();
        let mut service = Service::new(steps.clone(), engine);
        if pace.is_some() {
            service = service.orchestrated();
        }
        let options = ApiOptions { token_required, guard, build: Build::default(), stop: stop.clone() };
        let routes = router(Arc::new(service), options);
        let serving = http_api::serve(listener, routes, stop.clone(), Duration::from_secs(5));
        let mut tasks = vec![tokio::spawn(async move { serving.await.unwrap() })];
        if let Some(pace) = pace {
            let options = EmbeddedOptions { pace, ..EmbeddedOptions::default() };
            tasks.push(tokio::spawn(Embedded::new(steps.clone(), options).run(stop.clone())));
        }
        let store = steps.store().clone();
        Served { url: api.url.clone(), store, steps, folder: place.folder, api, stop, tasks }
    }

    /// Stops as a signal would.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.api.request(method, path)
    }

    /// Asks, and answers the status and the JSON of the answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        self.api.ask(method, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// A pipeline from the account into a file, with an endpoint for webhooks if `hooked`.
    pub(crate) fn pipeline(&self, account: &Running, id: &str, hooked: bool) -> Value {
        let mut source = json!({
            "api_key": KEY, "base_url": account.url(), "rate_limit": 2000, "endpoint_rate_limit": 2000, "events_lag": 1,
        });
        if hooked {
            source["webhook_url"] = format!("{}/webhooks/{id}", self.url).into();
        }
        let streams: Vec<Value> = TABLES.iter().map(|name| json!({"name": name})).collect();
        json!({
            "id": id,
            "source": {"type": "stripe", "stripe": source},
            "destination": {"type": "sqlite", "sqlite": {"path": self.file(id)}},
            "streams": streams,
        })
    }

    /// Where the copy of a pipeline is.
    pub(crate) fn file(&self, id: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{id}.db"))
    }

    /// Waits until the pipeline is as it should be.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.api.until(id, is_so).await
    }

    /// Waits until the copy equals the account.
    pub(crate) async fn until_equal(&self, id: &str, control: &Control) {
        self.api.until_equal(id, async || difference(&self.file(id), control)).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The first table whose rows are not those of the account.
pub(crate) fn difference(file: &std::path::Path, control: &Control) -> Option<String> {
    let database = rusqlite::Connection::open(file).unwrap();
    let stored = |table: &str| -> rusqlite::Result<Vec<(String, String)>> {
        let mut rows = database.prepare(&format!("select id, _raw_data from \"{table}\""))?;
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    TABLES.into_iter().find_map(|table| match stored(table) {
        Ok(rows) => different(control, table, rows),
        Err(error) => Some(error.to_string()),
    })
}
