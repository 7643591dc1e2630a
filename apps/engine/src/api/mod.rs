//! The engine over HTTP. Making the routes starts no server; that is the caller's.
//!
//! Every route is thin: it reads what the client sent, says what is wrong with it, and hands it to [`Engine`]. What
//! streams back is pulled by the client: one who reads slowly slows the source, one who goes away ends the work.

mod answer;
mod body;
mod document;
mod fitting;
mod gauges;
mod input;
mod meta;
mod operations;
mod pipeline;
mod query;
mod status;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http_api::{Access, KEEP_ALIVE, identify};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use gauges::Gauges;

pub use answer::Answer;
pub use document::{browse, components as schemas, openapi};
pub use fitting::misfits;
pub use pipeline::{Parts, parts};
pub use status::Build;

/// How the API is served.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// What clients must know; `None` lets programs of the same machine ask without it.
    pub token: Option<SecretString>,
    /// Whether `/internal/query` exists: it runs any SQL on any server that this machine reaches.
    pub internal_query: bool,
    /// What `/health` tells of the program.
    pub build: Build,
    /// Ends syncs, reads and comparisons when the server stops; they say how far they came.
    pub stop: CancellationToken,
    /// For how long a stream may be silent before a blank line is sent.
    pub keep_alive: Duration,
}

impl Default for ApiOptions {
    fn default() -> ApiOptions {
        ApiOptions {
            token: None,
            internal_query: false,
            build: Build::default(),
            stop: CancellationToken::new(),
            keep_alive: KEEP_ALIVE,
        }
    }
}

/// What the routes share.
struct Server {
    engine: Engine,
    options: ApiOptions,
    gauges: Gauges,
    document: OnceLock<Value>,
}

type Shared = axum::extract::State<Arc<Server>>;

/// The routes of the API.
pub fn router(engine: Engine, options: ApiOptions) -> Router {
    let access = Access::new(options.token.as_ref(), &["/health", "/ready", "/docs"]);
    let internal = options.internal_query;
    let server = Arc::new(Server { engine, options, gauges: Gauges::default(), document: OnceLock::new() });
    let mut routes = Router::new()
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/pipeline_check", post(operations::check))
        .route("/pipeline_setup", post(operations::setup))
        .route("/pipeline_teardown", post(operations::teardown))
        .route("/source_discover", post(operations::discover))
        .route("/pipeline_read", post(operations::read))
        .route("/pipeline_write", post(operations::write))
        .route("/pipeline_sync", post(operations::sync))
        .route("/pipeline_sync_batch", post(operations::sync_batch))
        .route("/pipeline_reconcile", post(operations::reconcile))
        .route("/meta/sources", get(meta::sources))
        .route("/meta/sources/{type}", get(meta::source))
        .route("/meta/destinations", get(meta::destinations))
        .route("/meta/destinations/{type}", get(meta::destination))
        .route("/openapi.json", get(document::serve))
        .route("/docs", get(document::browse));
    if internal {
        routes = routes.route("/internal/query", post(query::run));
    }
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(from_fn_with_state(access, Access::check))
        .layer(from_fn_with_state(Arc::clone(&server), gauges::count))
        .layer(from_fn(identify))
        .with_state(server)
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 Not Found").into_response()
}
