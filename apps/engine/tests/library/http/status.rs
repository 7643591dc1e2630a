//! Is it there, is it ready, what has it done.

use std::collections::BTreeSet;

use engine::api::{ApiOptions, Build};
use serde_json::json;

use super::served::{Answered, Served, echo_pipeline};
use crate::script::echo;

#[tokio::test]
async fn health_says_what_is_running() {
    let build = Build { hostname: "h".to_owned(), commit: Some("abc".to_owned()), ..Build::default() };
    let served = Served::with(echo(), ApiOptions { build, ..ApiOptions::default() }).await;
    let health = Answered::of(served.get("/health")).await;
    assert_eq!(health.status, 200);
    assert_eq!(health.json(), json!({"ok": true, "hostname": "h", "commit": "abc"}));
}

#[tokio::test]
async fn it_is_ready_until_it_stops() {
    let served = Served::start(echo()).await;
    assert_eq!(Answered::of(served.get("/ready")).await.status, 200);
    served.stop.cancel();
    let ready = Answered::of(served.get("/ready")).await;
    assert_eq!((ready.status.as_u16(), ready.json()), (503, json!({"ok": false})));
    assert_eq!(Answered::of(served.get("/health")).await.status, 200, "alive all the same");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let served = Served::start(echo()).await;
    for request in [
        served.get("/nothing"),
        served.get("/pipeline_sync"),
        served.post("/health", &json!({})),
        served.post("/internal/query", &json!({"sql": "select 1"})),
    ] {
        let answered = Answered::of(request).await;
        assert_eq!((answered.status.as_u16(), answered.text.as_str()), (404, "404 Not Found"));
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let served = Served::start(echo()).await;
    let mut ids = BTreeSet::new();
    for request in [
        served.get("/health"),
        served.get("/nothing"),
        served.post("/pipeline_check", &json!({"pipeline": echo_pipeline()})),
        served.post("/pipeline_check", &json!({})),
    ] {
        let response = request.send().await.unwrap();
        let id = response.headers()["sync-engine-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn figures_are_counted() {
    let served = Served::start(echo()).await;
    served.said("/pipeline_check", &json!({"pipeline": echo_pipeline()})).await;
    Answered::of(served.get("/no/such/path")).await;
    let metrics = Answered::of(served.get("/metrics")).await;
    assert!(metrics.kind.starts_with("application/openmetrics-text"), "{}", metrics.kind);
    for line in [
        r#"sync_engine_http_requests_total{path="/pipeline_check",status="200"} 1"#,
        r#"sync_engine_http_requests_total{path="other",status="404"} 1"#,
        r#"sync_engine_messages_total{operation="pipeline_check"} 2"#,
    ] {
        assert!(metrics.text.contains(line), "{line} is not in\n{}", metrics.text);
    }
}
