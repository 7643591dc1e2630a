//! Whether the server is alive, takes requests, and what it has done.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::Shared;

/// What the program knows of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Build {
    /// The name of the machine.
    pub hostname: String,
    /// The commit it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where that commit can be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_url: Option<String>,
    /// When it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_date: Option<String>,
}

#[derive(Serialize)]
struct Health<'a> {
    ok: bool,
    #[serde(flatten)]
    build: &'a Build,
}

/// `GET /health`: the program runs.
pub(super) async fn health(server: Shared) -> Response {
    Json(Health { ok: true, build: &server.options.build }).into_response()
}

/// `GET /ready`: the program takes new work.
pub(super) async fn ready(server: Shared) -> Response {
    let ok = !server.options.stop.is_cancelled();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ok": ok}))).into_response()
}

/// `GET /metrics`: figures, as Prometheus reads them.
pub(super) async fn metrics(server: Shared) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.gauges.text()).into_response()
}
