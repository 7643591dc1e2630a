//! Whether the service is alive, takes requests, and what it does.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::Shared;

/// `GET /health`: the program runs.
pub(super) async fn health(server: Shared) -> Response {
    let mut health = serde_json::to_value(&server.options.build).unwrap_or_default();
    if let Value::Object(members) = &mut health {
        members.insert("ok".to_owned(), Value::Bool(true));
    }
    Json(health).into_response()
}

/// `GET /ready`: the store can be asked, and the program is not about to stop.
pub(super) async fn ready(server: Shared) -> Response {
    let ok = !server.options.stop.is_cancelled() && server.service.store().now().await.is_ok();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ok": ok}))).into_response()
}

/// `GET /metrics`: figures, as Prometheus reads them.
pub(super) async fn metrics(server: Shared) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.figures.text(&server.service).await).into_response()
}
