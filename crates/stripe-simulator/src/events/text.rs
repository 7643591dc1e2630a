//! The JSON of events.

use serde_json::{Value, json};

/// What all events say.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    /// Unix seconds.
    pub(crate) created: i64,
    pub(crate) livemode: bool,
    /// The connected account that tells it.
    pub(crate) account: Option<&'a str>,
    pub(crate) request: &'a str,
}

/// What an event of the v1 API shows of its object.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) api_version: String,
    /// JSON text.
    pub(crate) object: Vec<u8>,
    pub(crate) previous: Option<Value>,
}

/// The object that a thin event names.
#[derive(Debug)]
pub(crate) struct Related {
    pub(crate) id: String,
    /// E.g. `v2.core.account`.
    pub(crate) kind: String,
    pub(crate) url: String,
}

/// An `event`: the object's text goes in as it is.
///
/// `pending` is the number of endpoints that are to be told; unlike Stripe's it does not count down.
pub(crate) fn snapshot(head: &Head<'_>, payload: &Payload, pending: usize) -> Vec<u8> {
    let Head { id, kind, created, livemode, account, request } = head;
    let account = account.map(|id| format!("\"account\":\"{id}\",")).unwrap_or_default();
    let version = &payload.api_version;
    let mut out = Vec::with_capacity(payload.object.len() + 512);
    out.extend_from_slice(
        format!(
            "{{\"id\":\"{id}\",\"object\":\"event\",{account}\"api_version\":\"{version}\",\"created\":{created},\"data\":{{\"object\":"
        )
        .as_bytes(),
    );
    out.extend_from_slice(&payload.object);
    if let Some(previous) = &payload.previous {
        out.extend_from_slice(b",\"previous_attributes\":");
        out.extend_from_slice(previous.to_string().as_bytes());
    }
    out.extend_from_slice(
        format!(
            "}},\"livemode\":{livemode},\"pending_webhooks\":{pending},\"request\":{{\"id\":\"{request}\",\"idempotency_key\":null}},\"type\":\"{kind}\"}}"
        )
        .as_bytes(),
    );
    out
}

/// A `v2.core.event`.
pub(crate) fn thin(head: &Head<'_>, related: &Related) -> Vec<u8> {
    let mut created = Vec::new();
    crate::template::push_iso(head.created, &mut created);
    json!({
        "id": head.id,
        "object": "v2.core.event",
        "context": head.account,
        "created": String::from_utf8_lossy(&created),
        "livemode": head.livemode,
        "reason": {"type": "request", "request": {"id": head.request, "idempotency_key": ""}},
        "related_object": {"id": related.id, "type": related.kind, "url": related.url},
        "type": head.kind,
    })
    .to_string()
    .into_bytes()
}
