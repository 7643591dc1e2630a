//! `POST /v1/stripecli/sessions`: how the Stripe CLI asks for a feed of events.

use http::Method;
use serde_json::json;

use super::form::Form;
use super::outbox::Interest;
use crate::api::Page;
use crate::refusal::Refusal;
use crate::state::State;

pub(crate) const PATH: &str = "/v1/stripecli/sessions";
/// The one feature that is simulated.
pub(crate) const FEATURE: &str = "webhooks";

/// Whether a request is one for a session.
pub(crate) fn is_about(method: &Method, path: &str) -> bool {
    path == PATH && method == Method::POST
}

/// Opens a session; `None` if the request is about something else. `host` is where the client asked.
pub(crate) fn answer(
    state: &State,
    method: &Method,
    path: &str,
    host: &str,
    body: &[u8],
) -> Option<Result<Page, Refusal>> {
    is_about(method, path).then(|| {
        let form = Form::parse(body);
        if form.get("device_name").is_none_or(str::is_empty) {
            return Err(Refusal::missing_parameter("device_name"));
        }
        match form.array("websocket_features") {
            None => return Err(Refusal::missing_parameter("websocket_features")),
            Some(features) if features.contains(&FEATURE) => {}
            Some(_) => return Err(Refusal::not_one_of("websocket_features", &[FEATURE.to_owned()])),
        }
        let account = state.id.clone();
        // The CLI names where to forward the events of connected accounts to, if it wants any.
        let connect = form.get("forward_connect_to_url").is_some_and(|url| !url.is_empty());
        let (id, secret) = state.outbox.open_session(Interest { account: account.clone(), connect });
        let body = json!({
            "websocket_id": id,
            "websocket_url": format!("ws://{host}/subscribe/{account}"),
            "websocket_authorized_feature": FEATURE,
            "secret": secret,
            "reconnect_delay": state.outbox.settings().reconnect_seconds,
            "display_connect_filter_warning": false,
            "default_version": state.feed.api_version,
            "latest_version": state.main.api_version,
        });
        Ok(Page { body: body.to_string().into_bytes(), objects: 0 })
    })
}
