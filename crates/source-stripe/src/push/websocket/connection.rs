//! Making the connection.
//!
//! The HTTP client makes it and the WebSocket takes it over, so that proxies and certificates are those of all other
//! requests: `HTTPS_PROXY` and `NO_PROXY` apply, and addresses of this machine are reached directly.

use std::time::Duration;

use protocol::with_causes;
use reqwest::header::{
    ACCEPT_ENCODING, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::session::{Session, USER_AGENT, client_facts};
use crate::connections::Connections;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What the Stripe CLI calls the protocol.
const PROTOCOL: &str = "stripecli-devproxy-v1";

/// A connection.
pub(super) type Socket = WebSocketStream<Upgraded>;

/// Why there is none; a sentence.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// Stripe answered that this session may not.
    Refused(String),
    Failed(String),
}

/// Connects with a session.
pub(super) async fn connect(connections: &Connections, session: &Session) -> Result<Socket, Unconnected> {
    let way = connections.to(&session.url).map_err(|error| Unconnected::Failed(error.to_string()))?;
    connect_by(way.builder, session).await
}

async fn connect_by(connections: reqwest::ClientBuilder, session: &Session) -> Result<Socket, Unconnected> {
    let failed = |error: reqwest::Error| Unconnected::Failed(with_causes(&error.without_url()));
    // Later versions of HTTP have other ways to make a WebSocket.
    let http = connections.http1_only().user_agent(USER_AGENT).build().map_err(failed)?;
    let key = generate_key();
    let request = http
        .get(session.url.clone())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .header(ACCEPT_ENCODING, "identity")
        .header("x-stripe-client-user-agent", client_facts())
        .header("websocket-id", &session.id);
    let made = async {
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let said = response.text().await.unwrap_or_default();
            let said: String = said.chars().take(200).collect();
            let problem =
                format!("{} answered {status}: {}", session.url.host_str().unwrap_or("Stripe"), said.trim());
            return Err(match status.is_client_error() {
                true => Unconnected::Refused(problem),
                false => Unconnected::Failed(problem),
            });
        }
        let accepted =
            response.headers().get(SEC_WEBSOCKET_ACCEPT).map(reqwest::header::HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(Unconnected::Failed("what answered is no WebSocket".to_owned()));
        }
        let upgraded = response.upgrade().await.map_err(failed)?;
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
    };
    let late = |_| Err(Unconnected::Failed("no answer in time".to_owned()));
    tokio::time::timeout(TIMEOUT, made).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn session(url: &str) -> Session {
        Session { url: url.parse().unwrap(), id: "cliws_1".to_owned(), reconnect_after: TIMEOUT }
    }

    /// Answers the first request by `answer`; gives the request.
    async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, asked)
    }

    #[tokio::test]
    async fn tls_goes_through_a_proxy_by_connect() {
        let (proxy, asked) = answering("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n").await;
        let connections = reqwest::Client::builder().proxy(reqwest::Proxy::all(proxy).unwrap());
        let refused = connect_by(connections, &session("https://stripecli-ws.example/subscribe")).await;
        assert!(matches!(refused, Err(Unconnected::Failed(_))), "{refused:?}");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT stripecli-ws.example:443 HTTP/1.1\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn the_request_is_that_of_the_stripe_cli() {
        let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 21\r\n\r\nUnknown WebSocket ID.";
        let (url, asked) = answering(refusal).await;
        let Err(Unconnected::Refused(problem)) =
            connect(&Connections::default(), &session(&format!("{url}/s?websocket_feature=webhooks"))).await
        else {
            panic!("not refused");
        };
        assert_eq!(problem, "127.0.0.1 answered 401 Unauthorized: Unknown WebSocket ID.");
        let asked = asked.await.unwrap().to_lowercase();
        for line in [
            "get /s?websocket_feature=webhooks http/1.1",
            "connection: upgrade",
            "upgrade: websocket",
            "websocket-id: cliws_1",
            "user-agent: stripe/v1 stripe-cli/1.33.0",
            "accept-encoding: identity",
        ] {
            assert!(asked.lines().any(|own| own == line), "{line} is not in\n{asked}");
        }
        assert!(!asked.contains("authorization"), "the key is for the API only");
    }

    #[tokio::test]
    async fn what_does_not_prove_to_be_a_websocket_is_none() {
        let answer = "HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n";
        let (url, _asked) = answering(answer).await;
        let failed = connect(&Connections::default(), &session(&url)).await;
        assert!(matches!(failed, Err(Unconnected::Failed(_))), "{failed:?}");
    }
}
