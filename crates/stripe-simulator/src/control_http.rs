//! The control API for other processes, under `/_sim/`.
//!
//! | Request | Does |
//! |---|---|
//! | `GET /_sim/tables` | tables with their counts |
//! | `POST /_sim/objects/{table}` | creates an object from a JSON object; answers it |
//! | `GET`, `PATCH`, `DELETE /_sim/objects/{table}/{id}` | answers, merges, deletes |
//! | `GET /_sim/dump/{table}?nested=cut\|full` | the true state as NDJSON |
//! | `GET`, `DELETE /_sim/counters` | answers, resets; `GET` with `?accounts=all` adds the connected accounts |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the rules; adds one; removes all |
//! | `DELETE /_sim/faults/{number}` | removes one |
//! | `PUT /_sim/events` | `{"late_share": 0.1, "late_most": 30}`: which events surface late, by seconds |
//! | `PUT /_sim/delivery` | how webhooks are delivered: [`DeliverySettings`] |
//! | `GET /_sim/delivery` | `{"pending": 3}`: deliveries not made yet |
//! | `DELETE /_sim/sessions` | ends all Stripe CLI sessions |
//! | `PUT`, `DELETE /_sim/accounts/{id}` | restores, revokes access to a connected account |
//! | `GET /_sim/keys` | the keys that are accepted, with their [`Permissions`] |
//! | `PUT`, `DELETE /_sim/keys/{key}` | accepts a key for what the body allows: `"all"`, `{"only": ["rak_charge_read"]}` or `{"read_all_but": […]}`; removes one |
//! | `PUT /_sim/share` | `0.5`: the share of the global limit per second that somebody else uses |
//! | `POST /_sim/stir` | `{"seed": 1, "count": 50}`: random changes; answers how many were made |
//! | `POST /_sim/advance` | seconds by which a clock that can be moved moves |
//! | `PUT /_sim/limits` | sets the rate limits |
//! | `PUT /_sim/pretty` | `true` or `false` |
//!
//! A request with `Stripe-Account: acct_…` is about that connected account.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::SimulatorError;
use crate::access::Permissions;
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
        .route("/_sim/accounts/{id}", put(restore).delete(revoke))
        .route("/_sim/keys", get(keys))
        .route("/_sim/keys/{key}", put(set_key).delete(remove_key))
        .route("/_sim/share", put(take_share))
        .route("/_sim/stir", post(stir))
        .route("/_sim/advance", post(advance))
        .route("/subscribe/{account}", get(socket::connect))
        .route("/_sim/limits", put(set_limits))
        .route("/_sim/pretty", put(set_pretty))
        .with_state(control)
}

/// The account that a request is about.
struct Chosen(Control);

impl FromRequestParts<Control> for Chosen {
    type Rejection = SimulatorError;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, SimulatorError> {
        match parts.headers.get("stripe-account") {
            None => Ok(Self(control.clone())),
            Some(id) => control.account(id.to_str().unwrap_or_default()).map(Self),
        }
    }
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

async fn tables(Chosen(control): Chosen) -> Json<Value> {
    let tables = control.tables().into_iter().map(|(table, count)| json!({"table": table, "count": count}));
    Json(tables.collect())
}

async fn create(
    Chosen(control): Chosen,
    Path(table): Path<String>,
    Json(fields): Json<Value>,
) -> Result<Json<Value>, SimulatorError> {
    let id = control.create(&table, fields)?.id;
    Ok(Json(control.get(&table, &id)?.unwrap_or_default()))
}

async fn show(
    Chosen(control): Chosen,
    Path((table, id)): Path<(String, String)>,
) -> Result<Json<Value>, SimulatorError> {
    let found = control.get(&table, &id)?;
    found.map(Json).ok_or(SimulatorError::NoSuchObject { table, id })
}

async fn update(
    Chosen(control): Chosen,
    Path((table, id)): Path<(String, String)>,
    Json(patch): Json<Value>,
) -> Result<Json<Value>, SimulatorError> {
    control.update(&table, &id, patch)?;
    Ok(Json(control.get(&table, &id)?.unwrap_or_default()))
}

async fn remove(
    Chosen(control): Chosen,
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
    Chosen(control): Chosen,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CounterOptions {
    #[serde(default)]
    accounts: Accounts,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Accounts {
    #[default]
    One,
    All,
}

async fn counters(Chosen(control): Chosen, Query(options): Query<CounterOptions>) -> Response {
    let counters = match options.accounts {
        Accounts::One => control.counters(),
        Accounts::All => control.all_counters(),
    };
    Json(counters).into_response()
}

async fn reset_counters(Chosen(control): Chosen) -> StatusCode {
    control.reset_counters();
    StatusCode::NO_CONTENT
}

async fn faults(Chosen(control): Chosen) -> Json<Value> {
    let rules = control.faults().into_iter().map(|(number, rule)| json!({"number": number, "rule": rule}));
    Json(rules.collect())
}

async fn add_fault(Chosen(control): Chosen, Json(rule): Json<FaultRule>) -> Json<Value> {
    Json(json!({"number": control.add_fault(rule)}))
}

async fn clear_faults(Chosen(control): Chosen) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(Chosen(control): Chosen, Path(number): Path<u64>) -> StatusCode {
    if control.remove_fault(number) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lateness {
    late_share: f64,
    late_most: u64,
}

async fn set_events(Chosen(control): Chosen, Json(late): Json<Lateness>) -> StatusCode {
    control.set_late_events(late.late_share, late.late_most);
    StatusCode::NO_CONTENT
}

async fn set_delivery(Chosen(control): Chosen, Json(settings): Json<DeliverySettings>) -> StatusCode {
    control.set_delivery(settings);
    StatusCode::NO_CONTENT
}

async fn pending(Chosen(control): Chosen) -> Json<Value> {
    Json(json!({"pending": control.pending_deliveries()}))
}

async fn end_sessions(Chosen(control): Chosen) -> StatusCode {
    control.end_sessions();
    StatusCode::NO_CONTENT
}

async fn restore(Chosen(control): Chosen, Path(id): Path<String>) -> Result<StatusCode, SimulatorError> {
    control.restore(&id).map(|()| StatusCode::NO_CONTENT)
}

async fn revoke(Chosen(control): Chosen, Path(id): Path<String>) -> Result<StatusCode, SimulatorError> {
    control.revoke(&id).map(|()| StatusCode::NO_CONTENT)
}

async fn keys(Chosen(control): Chosen) -> Json<Value> {
    let keys = control.keys().into_iter();
    Json(keys.map(|(key, permissions)| json!({"key": key, "permissions": permissions})).collect())
}

async fn set_key(
    Chosen(control): Chosen,
    Path(key): Path<String>,
    Json(permissions): Json<Permissions>,
) -> StatusCode {
    control.set_key(&key, permissions);
    StatusCode::NO_CONTENT
}

async fn remove_key(Chosen(control): Chosen, Path(key): Path<String>) -> StatusCode {
    if control.remove_key(&key) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn take_share(Chosen(control): Chosen, Json(share): Json<f64>) -> StatusCode {
    control.take_share(share);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stir {
    seed: u64,
    count: usize,
}

async fn stir(Chosen(control): Chosen, Json(stir): Json<Stir>) -> Result<Json<Value>, SimulatorError> {
    Ok(Json(json!({"changes": control.stir(stir.seed, stir.count)?.len()})))
}

async fn advance(Chosen(control): Chosen, Json(seconds): Json<u64>) -> Json<Value> {
    control.advance(std::time::Duration::from_secs(seconds));
    Json(json!({"now": control.now()}))
}

async fn set_limits(Chosen(control): Chosen, Json(limits): Json<Limits>) -> StatusCode {
    control.set_limits(limits);
    StatusCode::NO_CONTENT
}

async fn set_pretty(Chosen(control): Chosen, Json(pretty): Json<bool>) -> StatusCode {
    control.set_pretty(pretty);
    StatusCode::NO_CONTENT
}
