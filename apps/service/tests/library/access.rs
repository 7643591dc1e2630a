//! Tokens.

use reqwest::{Method, StatusCode};
use serde_json::json;
use service::access::{Scope, create_token};
use service::guard::Guard;

use crate::served::{Kept, Place, Served};

#[tokio::test(flavor = "multi_thread")]
async fn who_may_what() {
    let served = Served::with(Place::new(Kept::File).await, None, true, Guard::default()).await;
    let ask = async |method: Method, path: &str, token: Option<&str>| {
        let request = served.request(method, path);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.json(&json!({"name": "n"})).send().await.unwrap().status()
    };
    assert_eq!(ask(Method::GET, "/health", None).await, StatusCode::OK);
    assert_eq!(ask(Method::GET, "/docs", None).await, StatusCode::OK);
    for closed in ["/pipelines", "/openapi.json", "/metrics"] {
        assert_eq!(ask(Method::GET, closed, None).await, StatusCode::UNAUTHORIZED, "{closed}");
    }
    assert_eq!(ask(Method::GET, "/pipelines", Some("sst_wrong")).await, StatusCode::UNAUTHORIZED);
    let token = async |scope| create_token(&served.store, "test", scope).await.unwrap().token;
    let (read, write, admin) =
        (token(Scope::Read).await, token(Scope::Write).await, token(Scope::Admin).await);
    assert_eq!(ask(Method::GET, "/pipelines", Some(&read)).await, StatusCode::OK);
    assert_eq!(ask(Method::POST, "/pipelines", Some(&read)).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::POST, "/pipelines", Some(&write)).await, StatusCode::BAD_REQUEST);
    assert_eq!(ask(Method::GET, "/tokens", Some(&write)).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::GET, "/audit", Some(&write)).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::POST, "/tokens", Some(&admin)).await, StatusCode::CREATED);
    // A token that is revoked is forgotten, and who guesses is not listened to for long.
    let known = served.request(Method::GET, "/tokens").bearer_auth(&admin).send().await.unwrap();
    let known: serde_json::Value = known.json().await.unwrap();
    assert_eq!(known["data"].as_array().unwrap().len(), 4);
    assert!(!known.to_string().contains(&admin));
    for _ in 0..20 {
        ask(Method::GET, "/pipelines", Some("sst_guess")).await;
    }
    assert_eq!(ask(Method::GET, "/pipelines", Some("sst_guess")).await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_only_this_machine_is_answered_and_changes_are_noted() {
    let served = Served::start(Kept::File).await;
    let foreign =
        served.request(Method::GET, "/pipelines").header("host", "evil.example.com").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    served.post("/tokens", &json!({"name": "ci", "scope": "read"})).await;
    let audit = served.get("/audit").await;
    assert_eq!(
        (&audit["data"][0]["action"], &audit["data"][0]["actor"]),
        (&json!("tokens.create"), &json!("local"))
    );
}
