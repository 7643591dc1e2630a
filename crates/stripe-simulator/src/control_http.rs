//! The control API for other processes, under `/_sim/`.
//!
//! | Request | Does |
//! |---|---|
//! | `GET /_sim/tables` | tables with their counts |
//! | `POST /_sim/objects/{table}` | creates an object from a JSON object; answers it |
//! | `GET`, `PATCH`, `DELETE /_sim/objects/{table}/{id}` | answers, merges, deletes |
//! | `GET /_sim/dump/{table}?nested=cut\|full` | the true state as NDJSON |
//! | `GET`, `DELETE /_sim/counters` | answers, resets |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the rules; adds one; removes all |
//! | `DELETE /_sim/faults/{number}` | removes one |
//! | `PUT /_sim/events` | `{"late_share": 0.1, "late_most": 30}`: which events surface late, by seconds |
//! | `PUT /_sim/delivery` | how webhooks are delivered: [`DeliverySettings`] |
//! | `GET /_sim/delivery` | `{"pending": 3}`: deliveries not made yet |
//! | `DELETE /_sim/sessions` | ends all Stripe CLI sessions |
//! | `POST /_sim/stir` | `{"seed": 1, "count": 50}`: random changes; answers how many were made |
//! | `POST /_sim/advance` | seconds by which a clock that can be moved moves |
//! | `PUT /_sim/limits` | sets the rate limits |
//! | `PUT /_sim/pretty` | `true` or `false` |

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::SimulatorError;
use crate::control::{Control, NestedLists};
use crate::delivery::{DeliverySettings, socket};
use crate::faults::FaultRule;
use crate::throttle::Limits;

/// The routes of the control API.
pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/_sim/tables", get(tables))
        .route("/_sim/objects/{table}", post(create))
        .route("/_sim/objects/{table}/{id}", get(show).patch(update).delete(remove))
        .route("/_sim/dump/{table}", get(dump))
        .route("/_sim/counters", get(counters).delete(reset_counters))
        .route("/_sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sim/faults/{number}", delete(remove_fault))
        .route("/_sim/events", put(set_events))
        .route("/_sim/delivery", get(pending).put(set_delivery))
        .route("/_sim/sessions", delete(end_sessions))
        .route("/_sim/stir", post(stir))
        .route("/_sim/advance", post(advance))
        .route("/subscribe/{account}", get(socket::connect))
        .route("/_sim/limits", put(set_limits))
        .route("/_sim/pretty", put(set_pretty))
        .with_state(control)
}

impl IntoResponse for SimulatorError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownTable { .. } | Self::NoSuchObject { .. } => StatusCode::NOT_FOUND,
            Self::Exists { .. } => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

async fn tables(State(control): State<Control>) -> Json<Value> {
    let tables = control.tables().into_iter().map(|(table, count)| json!({"table": table, "count": count}));
    Json(tables.collect())
}

async fn create(
    State(control): State<Control>,
    Path(table): Path<String>,
    Json(fields): Json<Value>,
) -> Result<Json<Value>, SimulatorError> {
    let id = control.create(&table, fields)?.id;
    Ok(Json(control.get(&table, &id)?.unwrap_or_default()))
}

async fn show(
    State(control): State<Control>,
    Path((table, id)): Path<(String, String)>,
) -> Result<Json<Value>, SimulatorError> {
    let found = control.get(&table, &id)?;
    found.map(Json).ok_or(SimulatorError::NoSuchObject { table, id })
}

async fn update(
    State(control): State<Control>,
    Path((table, id)): Path<(String, String)>,
    Json(patch): Json<Value>,
) -> Result<Json<Value>, SimulatorError> {
    control.update(&table, &id, patch)?;
    Ok(Json(control.get(&table, &id)?.unwrap_or_default()))
}

async fn remove(
    State(control): State<Control>,
    Path((table, id)): Path<(String, String)>,
) -> Result<Json<Value>, SimulatorError> {
    control.delete(&table, &id)?;
    Ok(Json(json!({"id": id, "deleted": true})))
}

#[derive(Deserialize)]
struct DumpOptions {
    #[serde(default)]
    nested: NestedLists,
}

async fn dump(
    State(control): State<Control>,
    Path(table): Path<String>,
    Query(options): Query<DumpOptions>,
) -> Result<Response, SimulatorError> {
    let rows = control.rows(&table)?;
    let chunks = futures::stream::unfold(Some((control, rows)), move |rest| async move {
        let (control, mut rows) = rest?;
        let mut lines = Vec::new();
        let mut write = |object: &[u8]| {
            lines.extend_from_slice(object);
            lines.push(b'\n');
        };
        let more = control.dump_chunk(&mut rows, options.nested, &mut write, &mut Vec::new());
        Some((Ok::<_, std::io::Error>(Bytes::from(lines)), more.then_some((control, rows))))
    });
    let headers = [(http::header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

async fn counters(State(control): State<Control>) -> Response {
    Json(control.counters()).into_response()
}

async fn reset_counters(State(control): State<Control>) -> StatusCode {
    control.reset_counters();
    StatusCode::NO_CONTENT
}

async fn faults(State(control): State<Control>) -> Json<Value> {
    let rules = control.faults().into_iter().map(|(number, rule)| json!({"number": number, "rule": rule}));
    Json(rules.collect())
}

async fn add_fault(State(control): State<Control>, Json(rule): Json<FaultRule>) -> Json<Value> {
    Json(json!({"number": control.add_fault(rule)}))
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(control): State<Control>, Path(number): Path<u64>) -> StatusCode {
    if control.remove_fault(number) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lateness {
    late_share: f64,
    late_most: u64,
}

async fn set_events(State(control): State<Control>, Json(late): Json<Lateness>) -> StatusCode {
    control.set_late_events(late.late_share, late.late_most);
    StatusCode::NO_CONTENT
}

async fn set_delivery(State(control): State<Control>, Json(settings): Json<DeliverySettings>) -> StatusCode {
    control.set_delivery(settings);
    StatusCode::NO_CONTENT
}

async fn pending(State(control): State<Control>) -> Json<Value> {
    Json(json!({"pending": control.pending_deliveries()}))
}

async fn end_sessions(State(control): State<Control>) -> StatusCode {
    control.end_sessions();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stir {
    seed: u64,
    count: usize,
}

async fn stir(State(control): State<Control>, Json(stir): Json<Stir>) -> Result<Json<Value>, SimulatorError> {
    Ok(Json(json!({"changes": control.stir(stir.seed, stir.count)?.len()})))
}

async fn advance(State(control): State<Control>, Json(seconds): Json<u64>) -> Json<Value> {
    control.advance(std::time::Duration::from_secs(seconds));
    Json(json!({"now": control.now()}))
}

async fn set_limits(State(control): State<Control>, Json(limits): Json<Limits>) -> StatusCode {
    control.set_limits(limits);
    StatusCode::NO_CONTENT
}

async fn set_pretty(State(control): State<Control>, Json(pretty): Json<bool>) -> StatusCode {
    control.set_pretty(pretty);
    StatusCode::NO_CONTENT
}
