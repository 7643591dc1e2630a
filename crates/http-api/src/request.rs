//! Every request has an id; it is in the answer and in all that is logged about it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use logger::{RequestLog, SERVER_ONLY};
use tracing::Instrument;
use uuid::Uuid;

/// The header of an answer that holds the id of its request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("sync-engine-request-id");

const ACTION_ID: HeaderName = HeaderName::from_static("x-action-id");

/// What a handler finds among the extensions of its request.
#[derive(Clone, Debug)]
pub struct Identified(pub Arc<RequestLog>);

/// Middleware: gives the request an id, logs its beginning and its end, and puts the id into the answer. The
/// client's `X-Action-Id`, and the query's `run_id`, are in all entries.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    let action = request.headers().get(ACTION_ID).and_then(|action| action.to_str().ok());
    let log = RequestLog::new(id.clone(), action.map(str::to_owned));
    if let Some(run) = request.uri().query().and_then(run_id) {
        log.set_run_id(&run);
    }
    request.extensions_mut().insert(Identified(Arc::clone(&log)));
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let started = Instant::now();
    let work = async {
        tracing::debug!(target: SERVER_ONLY, method, path, "request start");
        let response = next.run(request).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = response.status();
        if status.is_success() {
            tracing::info!(target: SERVER_ONLY, method, path, status = status.as_u16(), durationMs = duration_ms, "request end");
        } else {
            tracing::warn!(target: SERVER_ONLY, method, path, status = status.as_u16(), durationMs = duration_ms, "request end");
        }
        response
    };
    let mut response = work.instrument(log.span()).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The `run_id` of a query.
fn run_id(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("run_id="))?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}
