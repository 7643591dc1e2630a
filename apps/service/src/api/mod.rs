//! The service over HTTP. Making the routes starts no server; that is the caller's.

mod creating;
mod document;
mod figures;
mod fitting;
mod incoming;
mod logs;
mod named;
mod operations;
mod pipelines;
mod query;
mod resource;
mod simulate;
mod status;
mod waiting;
mod webhooks;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::api::Build;
use http::StatusCode;
use http_api::identify;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use document::openapi;
pub(crate) use incoming::object;
pub(crate) use named::Named;
pub(crate) use pipelines::failed;
pub(crate) use query::Query;

use crate::access::{Gate, GateOptions};
use crate::guard::Guard;
use crate::service::Service;
use crate::webhooks::Secrets;
use figures::Figures;

/// How the API is served.
#[derive(Clone)]
pub struct ApiOptions {
    /// Whether clients must have a token. Only where nobody but this machine can ask may they not.
    pub token_required: bool,
    /// Which addresses pipelines may name.
    pub guard: Guard,
    /// What `/health` tells of the program.
    pub build: Build,
    /// Ends what streams when the server stops.
    pub stop: CancellationToken,
}

/// What the routes share.
pub(crate) struct Server {
    pub(crate) service: Arc<Service>,
    pub(crate) options: ApiOptions,
    figures: Figures,
    secrets: Secrets,
    document: OnceLock<Value>,
}

pub(crate) type Shared = State<Arc<Server>>;

/// Paths that nobody needs a token for: probes, and the page that asks for one itself. Webhooks need none either, as they are signed;
/// the gate knows them.
const OPEN: &[&str] = &["/health", "/ready", "/docs"];

/// The routes of the API.
pub fn router(service: Arc<Service>, options: ApiOptions) -> Router {
    let gate = Gate::new(
        service.store().clone(),
        GateOptions {
            required: options.token_required,
            open: OPEN.iter().map(|path| (*path).to_owned()).collect(),
        },
    );
    let server = server(service, options);
    Router::new()
        .route("/pipelines", get(pipelines::list).post(creating::create))
        .route("/pipelines/check", post(creating::check))
        .route("/pipelines/{id}", get(pipelines::get).patch(pipelines::update).delete(pipelines::delete))
        .route("/pipelines/{id}/retry", post(pipelines::retry))
        .route("/pipelines/{id}/sync", post(operations::sync))
        .route("/pipelines/{id}/sync_batch", post(operations::sync_batch))
        .route("/pipelines/{id}/check", post(operations::check))
        .route("/pipelines/{id}/setup", post(operations::setup))
        .route("/pipelines/{id}/teardown", post(operations::teardown))
        .route("/pipelines/{id}/simulate_webhook_sync", post(simulate::run))
        .route("/pipelines/{id}/sync_workflow_test", post(operations::sync_workflow_test))
        .route("/pipelines/{id}/logs", get(logs::entries))
        .route("/pipelines/{id}/wait", get(waiting::wait))
        .route("/tokens", get(crate::access::routes::list).post(crate::access::routes::create))
        .route("/tokens/{id}", axum::routing::delete(crate::access::routes::revoke))
        .route("/audit", get(crate::access::routes::audit))
        .merge(common())
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(from_fn_with_state(gate, Gate::check))
        .layer(from_fn_with_state(Arc::clone(&server), figures::count))
        .layer(from_fn(identify))
        .with_state(server)
}

/// The routes of a listener that Stripe may reach: webhooks, and probes. Nothing else is answered there.
pub fn webhook_router(service: Arc<Service>, options: ApiOptions) -> Router {
    let server = server(service, options);
    Router::new()
        .route("/webhooks/{pipeline_id}", post(webhooks::push))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&server), figures::count))
        .layer(from_fn(identify))
        .with_state(server)
}

fn common() -> Router<Arc<Server>> {
    Router::new()
        .route("/webhooks/{pipeline_id}", post(webhooks::push))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/openapi.json", get(document::serve))
        .route("/docs", get(engine::api::browse))
}

fn server(service: Arc<Service>, options: ApiOptions) -> Arc<Server> {
    let figures = Figures::new(service.intake.lots.clone());
    Arc::new(Server { service, options, figures, secrets: Secrets::default(), document: OnceLock::new() })
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 Not Found").into_response()
}
