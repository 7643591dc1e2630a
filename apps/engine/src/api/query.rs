//! `/internal/query`: SQL for tests and scripts, on any PostgreSQL that this machine reaches.

use axum::Json;
use axum::extract::Request;
use http_api::ApiError;
use serde_json::{Value, json};
use util_postgres::{Address, ConnectOptions, Database, PostgresError};

use super::Shared;
use super::body::Body;

/// `POST /internal/query`.
pub(super) async fn run(server: Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let mut body = Body::new(&server.engine, http_api::read_whole(request).await?);
    let (first, second) = (body.text("connection_string"), body.text("url"));
    let sql = body.required_text("sql");
    body.finish()?;
    let address = first.or(second).filter(|address| !address.is_empty());
    let address =
        address.ok_or_else(|| ApiError::Refused("connection_string or url is required".to_owned()))?;
    let refused =
        |error: PostgresError| ApiError::Refused(logger::redact_text(&error.to_string()).into_owned());
    let options =
        ConnectOptions { application_name: "sync-engine query".to_owned(), ..ConnectOptions::default() };
    let address = Address::parse(&address).map_err(refused)?;
    let database = Database::new(&address, &options).map_err(refused)?;
    let answer = database.query_json(&sql.unwrap_or_default()).await.map_err(refused)?;
    Ok(Json(json!({"rows": answer.rows, "rowCount": answer.row_count})))
}
