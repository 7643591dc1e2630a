//! Which request does what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::error::{ApiError, answer};
use super::faults::Fault;
use super::values::Query;
use super::{State, locked, oauth, requests, values};

/// Where a machine of Google's gives tokens, on its metadata server.
const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// Larger bodies are refused.
const MAX_BODY: usize = 10 << 20;

pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let state = Arc::clone(&state);
        async move { respond(&state, &method, &uri, &headers, &body) }
    };
    let app = Router::new().fallback(handler).layer(DefaultBodyLimit::max(MAX_BODY));
    // It ends with the task.
    let _ = axum::serve(listener, app).await;
}

fn respond(
    state: &Mutex<State>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Body> {
    let mut state = locked(state);
    if uri.path() == "/token" && method == Method::POST {
        return token(&mut state, body);
    }
    if uri.path() == METADATA && method == Method::GET {
        return machine(&mut state, headers);
    }
    match call(&mut state, method, uri, headers, body) {
        Ok((value, None)) => answer(200, &value),
        Ok((_, Some(Fault::ResetAfter | Fault::ResetBefore))) => reset(),
        Ok((_, Some(_))) => ApiError::unavailable().response(),
        Err(error) => {
            if error.code == 429 {
                state.calls.refused += 1;
            }
            error.response()
        }
    }
}

/// A body that breaks off takes its connection with it.
fn reset() -> Response<Body> {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("reset")) });
    Response::new(Body::from_stream(broken))
}

fn token(state: &mut State, body: &[u8]) -> Response<Body> {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let audience = format!("http://{}/token", state.address);
    match oauth::grant(&form, &audience, state.revoked) {
        Ok(()) => {
            let token = state.token();
            answer(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
        }
        Err((code, body)) => answer(code, &body),
    }
}

/// The token of the service account that the machine runs as: for whoever says that it is no page of a browser that asks.
fn machine(state: &mut State, headers: &HeaderMap) -> Response<Body> {
    let asks = headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
    if !asks || state.revoked {
        return answer(403, &json!({"error": "forbidden", "error_description": "Missing required header"}));
    }
    let token = state.token();
    answer(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}

/// What a request comes to, and the fault that hides its answer.
fn call(
    state: &mut State,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Value, Option<Fault>), ApiError> {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !state.tokens.contains(token) {
        return Err(ApiError::unauthenticated());
    }
    let writes = method != Method::GET;
    let mut after = None;
    if writes {
        state.calls.writes += 1;
        state.writes.take(Instant::now())?;
        match state.faults.next_writes.pop_front() {
            None | Some(Fault::None) => {}
            Some(Fault::TooMany) => return Err(ApiError::quota("Write")),
            Some(Fault::Unavailable) => return Err(ApiError::unavailable()),
            Some(Fault::Forbidden) => return Err(ApiError::forbidden()),
            Some(Fault::ResetBefore) => return Ok((Value::Null, Some(Fault::ResetBefore))),
            Some(fault @ (Fault::UnavailableAfter | Fault::ResetAfter)) => after = Some(fault),
        }
    } else {
        state.calls.reads += 1;
        state.reads.take(Instant::now())?;
    }
    let mut query = Query::parse(uri.query().unwrap_or_default());
    Ok((route(state, method, uri.path(), &mut query, body)?, after))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    properties: CreateTitle,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateTitle {
    title: String,
}

fn route(
    state: &mut State,
    method: &Method,
    path: &str,
    query: &mut Query,
    body: &[u8],
) -> Result<Value, ApiError> {
    if let Some(id) = path.strip_prefix("/drive/v3/files/") {
        if method != Method::DELETE || state.spreadsheets.remove(id).is_none() {
            return Err(ApiError::not_found());
        }
        return Ok(json!({}));
    }
    let unknown = || ApiError::new(404, "NOT_FOUND", "Method not found.");
    let rest = path.strip_prefix("/v4/spreadsheets").ok_or_else(unknown)?;
    if rest.is_empty() && method == Method::POST {
        let create: Create = requests::read(body)?;
        let id = state.create(&create.properties.title);
        return Ok(state.spreadsheets[&id].described());
    }
    let rest = rest.strip_prefix('/').ok_or_else(unknown)?;
    let (id, action) = rest.split_at(rest.find(['/', ':']).unwrap_or(rest.len()));
    let spreadsheet = state.spreadsheets.get_mut(id).ok_or_else(ApiError::not_found)?;
    if method != Method::GET && !spreadsheet.editable {
        return Err(ApiError::forbidden());
    }
    match (method.as_str(), action) {
        ("GET", "") => {
            // Which members to answer; all are few.
            query.take("fields");
            query.finish()?;
            return Ok(spreadsheet.described());
        }
        ("POST", ":batchUpdate") => return requests::batch_update(spreadsheet, body),
        ("GET", "/values:batchGet") => return values::batch_get(spreadsheet, query),
        ("POST", "/values:batchUpdate") => {
            let answer = values::batch_update(spreadsheet, query, body)?;
            state.calls.value_bytes += body.len();
            return Ok(answer);
        }
        _ => {}
    }
    let range = action.strip_prefix("/values/").ok_or_else(unknown)?;
    let range = percent_encoding::percent_decode_str(range).decode_utf8_lossy();
    match (method.as_str(), range.as_ref()) {
        ("GET", range) => values::get(spreadsheet, range, query),
        ("PUT", range) => values::update(spreadsheet, range, query, body),
        ("POST", range) => match range.rsplit_once(':') {
            Some((range, "append")) => values::append(spreadsheet, range, query, body),
            Some((range, "clear")) => values::clear(spreadsheet, range, query),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}
