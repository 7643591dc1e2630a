//! What is said over the WebSocket.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Outcome;

/// What Stripe says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An event, as a webhook endpoint would get it.
    Event(Webhook),
    /// Something else, of this type.
    Other(String),
    /// Nothing that is understood; why.
    Nonsense(String),
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Webhook {
    webhook_id: String,
    #[serde(default)]
    webhook_conversation_id: String,
    pub(super) event_payload: String,
    #[serde(default)]
    http_headers: BTreeMap<String, String>,
}

/// Understands a message.
pub(super) fn read(text: &str) -> Said {
    #[derive(Deserialize)]
    struct Any {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    let kind = match serde_json::from_str::<Any>(text) {
        Ok(any) => any.kind,
        Err(error) => return Said::Nonsense(error.to_string()),
    };
    match (kind.as_deref(), serde_json::from_str::<Webhook>(text)) {
        // Earlier servers said no type.
        (Some("webhook_event") | None, Ok(webhook)) => Said::Event(webhook),
        (Some("webhook_event"), Err(error)) => Said::Nonsense(error.to_string()),
        (kind, _) => Said::Other(kind.unwrap_or("(none)").to_owned()),
    }
}

impl Webhook {
    /// Says that the event has come.
    pub(super) fn acknowledgement(&self) -> String {
        json!({
            "type": "event_ack",
            "event_id": self.webhook_id,
            "webhook_conversation_id": self.webhook_conversation_id,
            "webhook_id": self.webhook_id,
        })
        .to_string()
    }

    /// Says what became of the event.
    pub(super) fn response(&self, outcome: &Result<(), String>) -> String {
        let (status, body): (u16, Value) = match outcome {
            Ok(()) => (200, json!({"received": true})),
            Err(why) => (500, json!({"error": why})),
        };
        json!({
            "type": "webhook_response",
            "webhook_id": self.webhook_id,
            "webhook_conversation_id": self.webhook_conversation_id,
            "forward_url": "sync-engine",
            "status": status,
            "http_headers": {},
            "body": body.to_string(),
            "request_headers": self.http_headers,
            "request_body": self.event_payload,
            "notification_id": self.webhook_id,
        })
        .to_string()
    }

    /// Waits until it is known what became of the event.
    pub(super) async fn settled(self, outcome: Outcome) -> (Webhook, Result<(), String>) {
        let outcome = outcome.await.unwrap_or_else(|_| Err("the event was not applied".to_owned()));
        (self, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"type":"webhook_event","webhook_id":"wc_1","webhook_conversation_id":"wcv_1",
        "event_payload":"{\"id\":\"evt_1\"}","http_headers":{"Stripe-Signature":"t=1,v1=2"},"endpoint":{}}"#;

    fn event(text: &str) -> Webhook {
        match read(text) {
            Said::Event(webhook) => webhook,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn events_are_told_from_the_rest() {
        assert_eq!(event(EVENT).event_payload, r#"{"id":"evt_1"}"#);
        event(&EVENT.replace(r#""type":"webhook_event","#, ""));
        assert_eq!(
            read(r#"{"type":"request_log_event","x":1}"#),
            Said::Other("request_log_event".to_owned())
        );
        assert_eq!(read("{}"), Said::Other("(none)".to_owned()));
        assert!(matches!(read(r#"{"type":"webhook_event"}"#), Said::Nonsense(_)));
        assert!(matches!(read("[]"), Said::Nonsense(_)));
        assert!(matches!(read("hello"), Said::Nonsense(_)));
    }

    #[test]
    fn answers_name_what_they_answer() {
        let webhook = event(EVENT);
        let ack: Value = serde_json::from_str(&webhook.acknowledgement()).unwrap();
        assert_eq!(
            ack,
            json!({"type": "event_ack", "event_id": "wc_1", "webhook_conversation_id": "wcv_1", "webhook_id": "wc_1"})
        );
        let response: Value = serde_json::from_str(&webhook.response(&Ok(()))).unwrap();
        assert_eq!(response["status"], 200);
        assert_eq!(response["body"], r#"{"received":true}"#);
        assert_eq!(response["notification_id"], "wc_1");
        assert_eq!(response["request_body"], r#"{"id":"evt_1"}"#);
        let refused: Value = serde_json::from_str(&webhook.response(&Err("no".to_owned()))).unwrap();
        assert_eq!((&refused["status"], &refused["body"]), (&json!(500), &json!(r#"{"error":"no"}"#)));
    }
}
