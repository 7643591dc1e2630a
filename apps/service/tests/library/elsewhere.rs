//! A service whose engine is elsewhere.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use engine::Engine;
use reqwest::StatusCode;
use serde_json::Value;
use service::guard::Guard;
use service::orchestrator::Pace;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::served::{Kept, PATIENCE, Place, Served, account, difference};

/// An engine that is served until this is dropped.
struct Elsewhere {
    url: String,
    _stop: DropGuard,
}

/// What an engine answers that has no comparison.
async fn older(request: Request, next: Next) -> axum::response::Response {
    match request.uri().path() {
        "/pipeline_reconcile" => {
            (StatusCode::NOT_FOUND, [(http_api::REQUEST_ID, "1")], "404 Not Found").into_response()
        }
        _ => next.run(request).await,
    }
}

async fn engine(is_old: bool) -> Elsewhere {
    let (_, engine): (_, Engine) = Place::new(Kept::File).await.steps().await;
    let mut routes = engine::api::router(engine, engine::api::ApiOptions::default());
    if is_old {
        routes = routes.layer(from_fn(older));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(http_api::serve(listener, routes, stop.clone(), Duration::from_secs(5)));
    Elsewhere { url, _stop: stop.drop_guard() }
}

/// A service that compares often, over an engine elsewhere.
async fn served(elsewhere: &Elsewhere) -> Served {
    let mut place = Place::new(Kept::File).await;
    place.elsewhere = Some(elsewhere.url.clone());
    let pace = Pace { follow: Duration::from_secs(3600), reconcile: Some(Duration::from_millis(300)) };
    let guard = Guard { any_address: true, ..Guard::default() };
    Served::with(place, Some(pace), false, guard).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_by_hand_is_repaired_there() {
    let (account, elsewhere) = (account().await, engine(false).await);
    let served = served(&elsewhere).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_there", false)).await;
    served.until("pipe_there", |now| now["last_reconciled_at"].is_string()).await;
    let control = account.control();
    assert_eq!(difference(&served.file("pipe_there"), &control), None);
    let id = control.ids("charge").unwrap()[3].clone();
    let change = format!("UPDATE _raw_charge SET _raw_data = '{{\"id\":\"{id}\"}}' WHERE id = '{id}'");
    let database = rusqlite::Connection::open(served.file("pipe_there")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(database.execute(&change, []).unwrap(), 1);
    served.until_equal("pipe_there", &control).await;
    until_said(&served, "Compared with the source: 1 row repaired").await;
}

/// Waits until the log of the pipeline says so.
async fn until_said(served: &Served, text: &str) {
    let said = async || {
        let log = served.store.entries("pipe_there", None, None, 1000).await.unwrap();
        log.iter().any(|entry| entry.message.contains(text))
    };
    let until = async {
        while !said().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until).await.unwrap_or_else(|_| panic!("the log does not say: {text}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_too_old_is_said_and_is_no_failure() {
    let (account, elsewhere) = (account().await, engine(true).await);
    let served = served(&elsewhere).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_there", false)).await;
    until_said(&served, "the engine elsewhere has no comparison").await;
    let now = served.get("/pipelines/pipe_there").await;
    assert_eq!((now.get("error"), now.get("last_reconciled_at")), (None, None), "{now}");
    assert_eq!(now["status"], Value::from("ready"));
}
