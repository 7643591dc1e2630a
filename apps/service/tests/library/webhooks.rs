//! Webhooks.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use service::guard::Guard;

use crate::served::{Kept, Place, Served, account};

const SECRET: &str = "whsec_test";

fn signed(body: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let digest = hmac::sign(&key, format!("{now}.{body}").as_bytes());
    format!("t={now},v1={}", hex::encode(digest))
}

async fn push(served: &Served, id: &str, body: &str, signature: Option<&str>) -> (StatusCode, String) {
    let mut request = served.request(Method::POST, &format!("/webhooks/{id}")).body(body.to_owned());
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn event(id: &str, customer: &Value) -> String {
    json!({"id": id, "object": "event", "type": "customer.updated", "created": 1_900_000_000,
        "api_version": stripe_openapi::embedded::newest_version(), "data": {"object": customer}})
    .to_string()
}

async fn pushed(kept: Kept) {
    let account = account().await;
    let served =
        Served::with(Place::new(kept).await, None, false, Guard { any_address: true, ..Guard::default() })
            .await;
    let mut pipeline = served.pipeline(&account, "pipe_hook", false);
    pipeline["source"]["stripe"]["webhook_secret"] = SECRET.into();
    served.post("/pipelines", &pipeline).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_deaf", false)).await;
    let body = event("evt_1", &json!({"id": "cus_1", "object": "customer"}));
    let signature = signed(&body);
    for (id, body, signature, status, text) in [
        ("pipe_hook", body.as_str(), Some(signature.as_str()), StatusCode::OK, "ok"),
        ("pipe_hook", &body, Some(&signature), StatusCode::OK, "ok"),
        ("pipe_hook", &body, None, StatusCode::UNAUTHORIZED, "webhook signature verification failed"),
        (
            "pipe_hook",
            "{}",
            Some(&signature),
            StatusCode::UNAUTHORIZED,
            "webhook signature verification failed",
        ),
        ("pipe_none", &body, Some(&signature), StatusCode::NOT_FOUND, "pipeline not found"),
        ("..%2Fpipe", &body, Some(&signature), StatusCode::NOT_FOUND, "pipeline not found"),
        (
            "pipe_deaf",
            &body,
            Some(&signature),
            StatusCode::BAD_REQUEST,
            "the pipeline's source has no webhook_secret",
        ),
        ("pipe_hook", "[]", Some(&signed("[]")), StatusCode::BAD_REQUEST, "the body is no event"),
    ] {
        assert_eq!(push(&served, id, body, signature).await, (status, text.to_owned()), "{id}");
    }
    let long = "x".repeat(3 << 20);
    assert_eq!(push(&served, "pipe_hook", &long, Some("t=1,v1=00")).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let now = served.get("/pipelines/pipe_hook").await;
    assert_eq!(now["waiting_deliveries"], 1, "the second of the same id is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_proven_stored_and_then_acknowledged() {
    pushed(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_stored_in_postgres_too() {
    pushed(Kept::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_can_wait_for_an_event() {
    let account = account().await;
    let control = account.control();
    let served = Served::start(Kept::File).await;
    let mut pipeline = served.pipeline(&account, "pipe_wait", false);
    pipeline["source"]["stripe"]["webhook_secret"] = SECRET.into();
    served.post("/pipelines", &pipeline).await;
    served.until("pipe_wait", |now| now["status"] == "ready").await;
    let id = control.ids("customer").unwrap()[0].clone();
    let unknown = served.ask(Method::GET, "/pipelines/pipe_wait/wait?event=evt_wait&timeout=0", None).await;
    assert_eq!(unknown.0, StatusCode::REQUEST_TIMEOUT);
    control.update("customer", &id, json!({"name": "Somebody"})).unwrap();
    let body = event("evt_wait", &control.get("customer", &id).unwrap().unwrap());
    assert_eq!(push(&served, "pipe_wait", &body, Some(&signed(&body))).await.0, StatusCode::OK);
    for what in ["event=evt_wait".to_owned(), format!("object={id}")] {
        let applied = served.get(&format!("/pipelines/pipe_wait/wait?{what}&timeout=30")).await;
        assert_eq!(applied, json!({"applied": true}));
    }
    let database = rusqlite::Connection::open(served.file("pipe_wait")).unwrap();
    let name: String = database
        .query_row("select json_extract(_raw_data, '$.name') from customer where id = ?1", [&id], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(name, "Somebody");
    let (status, _) = served.ask(Method::GET, "/pipelines/pipe_wait/wait", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    tokio::time::sleep(Duration::from_millis(1)).await;
}
