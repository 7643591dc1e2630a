//! Asking for a session.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::client::{Change, Client, Received};
use crate::failure::RequestError;
use crate::page::Unexpected;

const PATH: &str = "/v1/stripecli/sessions";

/// Stripe answers the clients it knows.
pub(super) const USER_AGENT: &str = "Stripe/v1 stripe-cli/1.33.0";

/// How long a connection lives where the session does not say.
const RECONNECT_AFTER: Duration = Duration::from_secs(60);

/// By what a connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// With the feature in its query. `http` and `https` stand for `ws` and `wss`.
    pub(super) url: Url,
    pub(super) id: String,
    pub(super) reconnect_after: Duration,
}

/// What the client says of itself.
pub(super) fn client_facts() -> String {
    json!({"name": "stripe-cli", "version": "1.33.0", "publisher": "stripe", "os": std::env::consts::OS})
        .to_string()
}

/// Asks Stripe for a session. With `connect`, the events of connected accounts come by it too.
pub(super) async fn open(client: &Client, connect: bool, retries: u32) -> Result<Session, RequestError> {
    let mut form = vec![("device_name", "stripe-sync-engine"), ("websocket_features[]", "webhooks")];
    if connect {
        // Where the Stripe CLI would forward them to; nothing is forwarded here.
        form.push(("forward_connect_to_url", "http://localhost"));
    }
    let form = form.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut change = Change::post(PATH, form);
    change.headers =
        vec![("user-agent", USER_AGENT.to_owned()), ("x-stripe-client-user-agent", client_facts())];
    client.change(&change, retries, |received: &Received| read(&received.body, client.base())).await
}

/// Reads the answer. Whoever asks by TLS is not sent to where there is none.
fn read(body: &[u8], base: &Url) -> Result<Session, Unexpected> {
    #[derive(Deserialize)]
    struct Answer {
        websocket_url: String,
        websocket_id: String,
        websocket_authorized_feature: String,
        #[serde(default)]
        reconnect_delay: u64,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| Unexpected(format!("the body is not a Stripe CLI session: {error}")))?;
    let address = answer.websocket_url;
    let secure = address.starts_with("wss://");
    // So that the proxy settings and certificates of HTTP apply.
    let url = address.strip_prefix("ws").map(|rest| format!("http{rest}")).unwrap_or_default();
    let mut url = Url::parse(&url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && (secure || base.scheme() == "http"))
        .ok_or_else(|| {
            Unexpected(format!(
                "the session is at {address}, which is not the address of a WebSocket with TLS"
            ))
        })?;
    url.query_pairs_mut().append_pair("websocket_feature", &answer.websocket_authorized_feature);
    let reconnect_after = match answer.reconnect_delay {
        0 => RECONNECT_AFTER,
        seconds => Duration::from_secs(seconds),
    };
    Ok(Session { url, id: answer.websocket_id, reconnect_after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(url: &str, base: &str, delay: u64) -> Result<Session, String> {
        let body = json!({
            "websocket_url": url,
            "websocket_id": "cliws_1",
            "websocket_authorized_feature": "webhooks",
            "reconnect_delay": delay,
            "secret": "whsec_1",
        });
        read(body.to_string().as_bytes(), &base.parse().unwrap()).map_err(|unexpected| unexpected.0)
    }

    #[test]
    fn a_session_says_where_to_connect() {
        let session = answer("wss://stripecli-ws.stripe.com/subscribe/acct_1", "https://api.stripe.com", 300);
        assert_eq!(
            session.unwrap(),
            Session {
                url: "https://stripecli-ws.stripe.com/subscribe/acct_1?websocket_feature=webhooks"
                    .parse()
                    .unwrap(),
                id: "cliws_1".to_owned(),
                reconnect_after: Duration::from_secs(300),
            }
        );
        let local = answer("ws://127.0.0.1:5/subscribe/a", "http://127.0.0.1:5", 0).unwrap();
        assert_eq!((local.url.scheme(), local.reconnect_after), ("http", RECONNECT_AFTER));
    }

    #[test]
    fn nobody_is_led_astray() {
        for (url, base) in [
            ("ws://evil.example/", "https://api.stripe.com"),
            ("https://evil.example/", "https://api.stripe.com"),
            ("", "http://127.0.0.1:5"),
            ("wsftp://a", "http://127.0.0.1:5"),
        ] {
            let problem = answer(url, base, 1).unwrap_err();
            assert!(problem.contains("not the address of a WebSocket"), "{problem}");
        }
        assert!(
            read(b"<html>", &"http://a".parse().unwrap()).unwrap_err().0.contains("not a Stripe CLI session")
        );
    }
}
