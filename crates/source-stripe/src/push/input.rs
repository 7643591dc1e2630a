//! What others push into the source: events, and webhooks that they got.

use bytes::Bytes;
use protocol::{ConnectorError, RawJson};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::signature::{self, HEADER};

/// The event that a pushed message (an item of `ReadRequest::input`) holds, as text.
///
/// A message with a `body` is a webhook as somebody got it, `{body, headers}`, and is verified with `secret` at
/// `now` (unix seconds); the body may be a text or its bytes. Any other is the event itself, and is believed.
pub(crate) fn pushed(
    input: &RawJson,
    secret: Option<&SecretString>,
    now: i64,
) -> Result<RawJson, ConnectorError> {
    let [body, headers] = input.members(["body", "headers"]).map_err(|error| {
        ConnectorError::config(format!(
            "the input is neither an event nor a webhook {{body, headers}}: {error}"
        ))
    })?;
    let Some(body) = body else {
        return event(input.clone())
            .map_err(|problem| ConnectorError::config(format!("the input {problem}")));
    };
    let secret = secret.ok_or_else(|| {
        ConnectorError::config("webhook_secret is required for raw webhook signature verification")
    })?;
    let body: Body = serde_json::from_str(body.get()).map_err(|_| {
        ConnectorError::config("the body of the pushed webhook is neither text nor an array of bytes")
    })?;
    let body = body.bytes();
    let signature = headers
        .and_then(|headers| serde_json::from_str(headers.get()).ok())
        .and_then(|headers| signature_in(&headers))
        .unwrap_or_default();
    signature::verify(&signature, &body, secret.expose_secret(), now)
        .map_err(|rejection| ConnectorError::config(rejection.to_string()))?;
    read(body).map_err(|problem| ConnectorError::config(format!("the body of the pushed webhook {problem}")))
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// Nothing proves that it is Stripe's.
    #[error("{0}")]
    Unproven(String),
    /// It is Stripe's, but not an event.
    #[error("the body {0}")]
    NoEvent(String),
}

/// The event in a webhook that Stripe posted: `signature` is its header `stripe-signature`, `secret` that of the endpoint, `now`
/// in unix seconds.
pub fn webhook_event(
    signature: &str,
    body: Bytes,
    secret: &SecretString,
    now: i64,
) -> Result<RawJson, WebhookRefusal> {
    signature::verify(signature, &body, secret.expose_secret(), now)
        .map_err(|rejection| WebhookRefusal::Unproven(rejection.to_string()))?;
    read(body).map_err(WebhookRefusal::NoEvent)
}

/// The event in a body that is believed. The error completes a sentence about the body.
pub(crate) fn read(body: Bytes) -> Result<RawJson, String> {
    let text = RawJson::parse(body).map_err(|error| format!("is no event: {error}"))?;
    event(text)
}

/// Lets through what looks like an event: whatever its type, it has one, and an id to know it by.
fn event(text: RawJson) -> Result<RawJson, String> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
        #[serde(rename = "type")]
        kind: String,
    }
    let event: Event = text.read().map_err(|error| format!("is no event: {error}"))?;
    match event.id.is_empty() || event.kind.is_empty() {
        true => Err("is an event without an id or a type".to_owned()),
        false => Ok(text),
    }
}

/// A body, in the forms that JSON has for bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Text(String),
    Bytes(Vec<u8>),
    /// As Node.js writes its buffers: `{"type":"Buffer","data":[…]}`.
    Buffer {
        data: Vec<u8>,
    },
}

impl Body {
    fn bytes(self) -> Bytes {
        match self {
            Body::Text(text) => text.into(),
            Body::Bytes(bytes) | Body::Buffer { data: bytes } => bytes.into(),
        }
    }
}

/// The signature among headers whose names are in any case, with one value or several.
fn signature_in(headers: &Map<String, Value>) -> Option<String> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(HEADER))?;
    match value {
        Value::String(value) => Some(value.clone()),
        Value::Array(values) => Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::signature::tests::sign;
    use super::*;

    const EVENT: &str = r#"{"id":"evt_1", "object":"event","type":"customer.created","n":1.50,"é":1}"#;

    fn push(input: &Value, secret: Option<&str>) -> Result<RawJson, String> {
        let secret = secret.map(SecretString::from);
        let input = RawJson::from_value(input).unwrap();
        pushed(&input, secret.as_ref(), 1_000).map_err(|error| error.to_string())
    }

    #[test]
    fn webhooks_are_verified_and_kept_as_text() {
        let signature = sign(EVENT.as_bytes(), "whsec_1", 1_000);
        for (body, headers) in [
            (json!(EVENT), json!({"stripe-signature": signature})),
            (json!(EVENT.as_bytes()), json!({"STRIPE-Signature": signature, "other": 1})),
            (json!({"type": "Buffer", "data": EVENT.as_bytes()}), json!({"Stripe-Signature": [signature]})),
        ] {
            let event = push(&json!({"body": body, "headers": headers}), Some("whsec_1")).unwrap();
            assert_eq!(event.as_str(), EVENT);
        }
    }

    #[test]
    fn events_are_believed_without_a_secret() {
        let input = RawJson::parse(EVENT).unwrap();
        assert_eq!(pushed(&input, None, 0).unwrap().as_str(), EVENT);
        let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v2.core.account.updated"});
        assert!(push(&thin, None).is_ok());
    }

    #[test]
    fn what_is_neither_is_refused() {
        let headers = json!({"stripe-signature": sign(b"[]", "s", 1_000)});
        let refused = |input: Value, secret: Option<&str>| push(&input, secret).unwrap_err();
        assert_eq!(
            refused(json!({"body": EVENT, "headers": {}}), None),
            "webhook_secret is required for raw webhook signature verification"
        );
        assert_eq!(
            refused(json!({"body": EVENT, "headers": {}}), Some("s")),
            "No valid signature found in stripe-signature header"
        );
        assert!(refused(json!({"body": EVENT}), Some("s")).contains("No valid signature"));
        assert!(refused(json!({"body": EVENT, "headers": headers}), Some("s")).contains("secret matches"));
        assert!(refused(json!({"body": "[]", "headers": headers}), Some("s")).contains("is no event"));
        assert!(refused(json!({"body": 7, "headers": headers}), Some("s")).contains("neither text"));
        assert!(refused(json!([1]), None).contains("neither an event"));
        assert!(refused(json!({"id": "cus_1", "object": "customer"}), None).contains("is no event"));
        assert!(refused(json!({"id": "", "type": "x"}), None).contains("without an id"));
    }
}
