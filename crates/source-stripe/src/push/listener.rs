//! The built-in listener for webhooks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::{ConnectorError, ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::signature::{self, HEADER};
use super::{Delivered, input};

/// Bytes of a webhook, at most. Stripe's events are far smaller.
const MOST_BYTES: usize = 1 << 20;

/// How long a webhook may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How long a webhook waits for its receipt, about as long as Stripe waits for an answer. Later it is told to try
/// again, which does no harm: what it says is applied once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes webhooks in.
pub(crate) struct Desk {
    secret: SecretString,
    inbox: Sender<Delivered>,
    /// Unix seconds.
    clock: fn() -> i64,
    patience: Duration,
}

impl Desk {
    /// Takes webhooks that are signed with `secret`, by the machine's clock.
    pub(crate) fn new(secret: SecretString, inbox: Sender<Delivered>) -> Desk {
        Desk { secret, inbox, clock: || jiff::Timestamp::now().as_second(), patience: PATIENCE }
    }
}

/// Opens the port.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ConnectorError> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        let sentence = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "webhook_port {port} is in use by another process, perhaps another sync: end that one or choose \
                 another port"
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "webhook_port {port} may not be opened by this user: choose a port from 1024 on and have the address \
                 of webhook_url lead there"
            ),
            _ => format!("webhook_port {port} cannot be opened: {error}"),
        };
        ConnectorError::new(ErrorKind::Config, sentence).caused_by(error)
    })
}

/// Answers webhooks until `stop`; then lets those end that have begun.
pub(crate) async fn serve(listener: TcpListener, desk: Desk, stop: CancellationToken) {
    let app =
        Router::new().fallback(take).layer(DefaultBodyLimit::max(MOST_BYTES)).with_state(Arc::new(desk));
    // Serving ends with `stop` only: failures to accept a connection are waited out.
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "webhooks are no longer listened for");
    }
}

async fn take(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], "Webhooks are posted").into_response();
    }
    let signatures = request.headers().get_all(HEADER).iter();
    let signature: Vec<String> =
        signatures.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect();
    if signature.is_empty() {
        return (StatusCode::BAD_REQUEST, "Missing stripe-signature").into_response();
    }
    let body = match tokio::time::timeout(ARRIVAL, Bytes::from_request(request, &desk)).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let now = (desk.clock)();
    if let Err(rejection) = signature::verify(&signature.join(","), &body, desk.secret.expose_secret(), now) {
        tracing::warn!(%rejection, "a webhook was refused");
        return (StatusCode::BAD_REQUEST, rejection.to_string()).into_response();
    }
    let event = match input::read(body) {
        Ok(event) => event,
        Err(problem) => {
            tracing::warn!(problem, "a webhook was refused");
            return (StatusCode::BAD_REQUEST, format!("The body {problem}")).into_response();
        }
    };
    let (delivered, outcome) = Delivered::new(event);
    match desk.inbox.try_send(delivered) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return later("More events wait than can be held"),
        Err(TrySendError::Closed(_)) => return later("The sync is ending"),
    }
    match tokio::time::timeout(desk.patience, outcome).await {
        Ok(Ok(Ok(()))) => ([(CONTENT_TYPE, "application/json")], r#"{"received":true}"#).into_response(),
        Ok(Ok(Err(why))) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
        Ok(Err(_)) => later("The event was not applied"),
        Err(_) => later("The event is not applied yet"),
    }
}

/// Asks Stripe to try again; it does for three days.
fn later(why: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], why).into_response()
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
