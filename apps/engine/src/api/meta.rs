//! Which connectors there are.

use axum::Json;
use axum::extract::Path;
use http_api::ApiError;
use protocol::ConnectorSpec;
use serde_json::{Value, json};

use super::Shared;

/// `GET /meta/sources`.
pub(super) async fn sources(server: Shared) -> Json<Value> {
    let known = server.engine.registry().sources();
    listed(known.iter().map(|source| (source.name().to_owned(), source.spec())))
}

/// `GET /meta/destinations`.
pub(super) async fn destinations(server: Shared) -> Json<Value> {
    let known = server.engine.registry().destinations();
    listed(known.iter().map(|destination| (destination.name().to_owned(), destination.spec())))
}

/// `GET /meta/sources/{type}`.
pub(super) async fn source(server: Shared, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let known = server.engine.registry().source(&name);
    let known = known.map_err(|_| ApiError::NotFound(format!("Unknown source connector: {name}")))?;
    Ok(Json(json!({"config_schema": config_schema(known.spec())})))
}

/// `GET /meta/destinations/{type}`.
pub(super) async fn destination(server: Shared, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let known = server.engine.registry().destination(&name);
    let known = known.map_err(|_| ApiError::NotFound(format!("Unknown destination connector: {name}")))?;
    Ok(Json(json!({"config_schema": config_schema(known.spec())})))
}

fn listed(connectors: impl Iterator<Item = (String, ConnectorSpec)>) -> Json<Value> {
    let items: Vec<Value> =
        connectors.map(|(name, spec)| json!({"type": name, "config_schema": config_schema(spec)})).collect();
    Json(json!({"items": items}))
}

fn config_schema(spec: ConnectorSpec) -> Value {
    let mut schema = spec.config;
    schema.remove("$schema");
    Value::Object(schema)
}
