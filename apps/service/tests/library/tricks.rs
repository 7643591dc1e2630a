//! Whoever has no token, too small a one, or strange ids, gets nothing.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service::access::{Scope, create_token};
use service::guard::Guard;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::{Kept, Place, Served};

/// Operations that nobody needs a token for.
const OPEN: [&str; 3] = ["/health", "/ready", "/webhooks/{pipeline_id}"];

async fn closed() -> Served {
    Served::with(Place::new(Kept::File).await, None, true, Guard::default()).await
}

async fn token(served: &Served, scope: Scope) -> String {
    create_token(&served.store, "test", scope).await.unwrap().token
}

/// Methods and paths of everything that the API describes, with ids that do not exist.
fn operations() -> Vec<(Method, String)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|_| !OPEN.contains(&path.as_str())) {
            all.push((method.to_uppercase().parse().unwrap(), path.replace("{id}", "pipe_none")));
        }
    }
    assert!(all.len() > 20);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_probes_and_webhooks_is_answered_without_a_token() {
    let served = closed().await;
    for (at, (method, path)) in operations().into_iter().enumerate() {
        let (status, answer) = served.ask(method.clone(), &path, Some(&json!({"name": "n"}))).await;
        // Whoever asks for long without one is not listened to any more.
        let refused = if at < 20 { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(status, refused, "{method} {path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let served = closed().await;
    let (read, write) = (token(&served, Scope::Read).await, token(&served, Scope::Write).await);
    let ask = async |method: &Method, path: &str, token: &str| {
        let request = served.request(method.clone(), path).bearer_auth(token).json(&json!({"name": "n"}));
        request.send().await.unwrap().status()
    };
    for (method, path) in operations() {
        let managed = path.starts_with("/tokens") || path == "/audit";
        let reads = method == Method::GET;
        let status = ask(&method, &path, &read).await;
        assert_eq!(status == StatusCode::FORBIDDEN, managed || !reads, "{method} {path} to read: {status}");
        let status = ask(&method, &path, &write).await;
        assert_eq!(status == StatusCode::FORBIDDEN, managed, "{method} {path} to write: {status}");
    }
}

/// Asks for a path exactly as it is written, which no client would. Answers the status and the rest.
async fn raw(served: &Served, method: &str, path: &str, token: &str) -> (u16, String) {
    let address = served.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that does not read to the end of what it refuses resets the connection.
    let _ = connection.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_ids_lead_nowhere() {
    let served = closed().await;
    let admin = token(&served, Scope::Admin).await;
    let pipeline = json!({"id": "pipe_one", "source": {"type": "stripe", "stripe": {"api_key": "sk_test_1"}},
        "destination": {"type": "sqlite", "sqlite": {"path": served.file("pipe_one")}}});
    let created =
        served.request(Method::POST, "/pipelines?skip_check=true").bearer_auth(&admin).json(&pipeline);
    assert_eq!(created.send().await.unwrap().status(), StatusCode::CREATED);
    let long = "a".repeat(5000);
    let strange = [
        "..",
        "../tokens",
        "..%2ftokens",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "pipe_one%2f..%2fpipe_one",
        "pipe_one%2fsync",
        "./pipe_one",
        "pipe_one/.",
        "/pipe_one",
        "pipe_one%00",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "pipe_one%20",
        "pipe_one;x",
        "PIPE_ONE",
        "'%20or%201=1--",
        &long,
    ];
    for id in strange {
        for (method, path) in [
            ("GET", format!("/pipelines/{id}")),
            ("GET", format!("/pipelines/{id}/logs")),
            ("GET", format!("/pipelines/{id}/wait?event=evt_1&timeout=0")),
            ("DELETE", format!("/pipelines/{id}")),
            ("POST", format!("/pipelines/{id}/sync")),
            ("POST", format!("/pipelines/{id}/teardown")),
            ("POST", format!("/webhooks/{id}")),
            ("DELETE", format!("/tokens/{id}")),
        ] {
            let (status, answer) = raw(&served, method, &path, &admin).await;
            assert!(matches!(status, 400 | 404), "{method} {path:.80}: {status} {answer}");
        }
    }
    // Nothing has happened to what there is.
    let (status, answer) = raw(&served, "GET", "/pipelines/pipe_one", &admin).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(r#""desired_status":"active""#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_around_the_gate() {
    let served = closed().await;
    let read = token(&served, Scope::Read).await;
    for path in [
        "/tokens",
        "//tokens",
        "/./tokens",
        "/health/../tokens",
        "/webhooks/../tokens",
        "/webhooks/..%2ftokens",
        "/%74okens",
        "/tokens/",
        "/tokens?x=/health",
        "/TOKENS",
        "/health%2f..%2ftokens",
        "http://localhost/tokens",
    ] {
        for (method, token) in [("GET", read.as_str()), ("POST", read.as_str()), ("GET", "")] {
            let (status, answer) = raw(&served, method, path, token).await;
            let refused = matches!(status, 400 | 401 | 403 | 404 | 429);
            assert!(refused && !answer.contains("tok_"), "{method} {path}: {status} {answer}");
        }
    }
}
