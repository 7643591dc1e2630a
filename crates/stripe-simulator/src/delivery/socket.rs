//! The WebSocket by which a session gets its events.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::outbox::Letter;
use super::sessions::FEATURE;
use super::signature;
use crate::control::Control;
use crate::state::State;

/// How often the account's clock is looked at.
const TICK: Duration = Duration::from_millis(10);

/// Numbers connections, so that each knows what it has sent.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// `GET /subscribe/{account}?websocket_feature=webhooks` with the session in `Websocket-Id`.
pub(crate) async fn connect(
    Shared(control): Shared<Control>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let id = headers.get("websocket-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    if query.get("websocket_feature").map(String::as_str) != Some(FEATURE) {
        return (StatusCode::BAD_REQUEST, "unknown websocket_feature").into_response();
    }
    if !control.state.outbox.has_session(&id) {
        return (StatusCode::UNAUTHORIZED, "unknown Websocket-Id").into_response();
    }
    let stop = control.state.stop.clone();
    upgrade.on_upgrade(async move |socket| {
        tokio::select! {
            () = stop.cancelled() => {}
            () = feed(control.state, id, socket) => {}
        }
    })
}

/// What a client says.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    webhook_id: String,
}

/// Sends events and takes acknowledgements until either side closes.
async fn feed(state: Arc<State>, id: String, mut socket: WebSocket) {
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let settings = state.outbox.settings();
    let opened = state.clock.elapsed();
    let mut sent: u64 = 0;
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            said = socket.recv() => match said {
                Some(Ok(Message::Text(text))) => heard(&state, &id, &text),
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = tick.tick() => {
                let now = state.clock.elapsed();
                let over = now.saturating_sub(opened).as_secs() >= settings.reconnect_seconds.max(1);
                let Some((secret, letters)) = state.outbox.letters(&id, connection, now) else {
                    return close(socket, "the session has ended").await;
                };
                if over {
                    return close(socket, "it is time to reconnect").await;
                }
                for letter in letters {
                    if socket.send(message(&state, &secret, &letter)).await.is_err() {
                        return;
                    }
                    sent += 1;
                    if settings.break_after > 0 && sent >= settings.break_after {
                        // Without a close frame, as when a network goes away.
                        return;
                    }
                }
            }
        }
    }
}

async fn close(mut socket: WebSocket, reason: &'static str) {
    let frame = CloseFrame { code: axum::extract::ws::close_code::NORMAL, reason: reason.into() };
    if let Err(error) = socket.send(Message::Close(Some(frame))).await {
        tracing::debug!(%error, "the client was gone already");
    }
}

fn heard(state: &State, id: &str, text: &str) {
    match serde_json::from_str::<Said>(text) {
        Ok(said) if said.kind == "event_ack" => state.outbox.acknowledge(id, &said.webhook_id),
        Ok(said) if said.kind == "webhook_response" => {}
        Ok(said) => tracing::warn!(kind = said.kind, "a session said something unknown"),
        Err(error) => tracing::warn!(%error, "a session said something that is no message"),
    }
}

fn message(state: &State, secret: &str, letter: &Letter) -> Message {
    let conversation = letter.webhook_id.replace("wc_", "wcv_");
    let text = json!({
        "type": "webhook_event",
        "webhook_id": letter.webhook_id,
        "webhook_conversation_id": conversation,
        "event_payload": String::from_utf8_lossy(&letter.body),
        "http_headers": {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature::header(secret, state.clock.now(), &letter.body),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        },
        "endpoint": {"url": "", "status": "enabled", "api_version": state.feed.api_version},
    });
    Message::Text(text.to_string().into())
}
