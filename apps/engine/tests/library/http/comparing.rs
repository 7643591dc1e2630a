//! A copy is compared with its source over HTTP, and by an engine elsewhere.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::middleware::from_fn;
use destination_sqlite::SqliteDestination;
use engine::remote::RemoteEngine;
use engine::{Engine, EngineError, Outcome, Reconcile, Registry};
use protocol::ErrorKind;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::served::{Answered, Served, echo_pipeline, types, wait_for_log};
use super::sources::Flood;
use crate::reconciling::{Place, shop};
use crate::script::echo;

const PATH: &str = "/pipeline_reconcile";
const ALL: [&str; 3] = ["order", "rate", "item"];

async fn copied(orders: i64) -> (Place, Served) {
    let place = Place::file(shop(orders));
    place.sync(&ALL).await;
    let served = Served::start(place.engine.clone()).await;
    (place, served)
}

fn body(place: &Place, more: &Value) -> Value {
    let mut body = json!({"pipeline": place.pipeline(&ALL)});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The report, which is in the last message.
fn report(said: &[Value]) -> &Value {
    &said.last().unwrap()["log"]["data"]["reconcile_report"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_compared_and_healed() {
    let (place, served) = copied(400).await;
    let said = served.said(PATH, &body(&place, &json!({}))).await;
    assert_eq!(types(&said), ["log"; 4]);
    for (message, name) in said.iter().zip(ALL) {
        assert_eq!(message["_emitted_by"], "engine");
        assert!(message["_ts"].is_string());
        let data = &message["log"]["data"];
        assert_eq!(
            (&data["stream_report"]["stream"], &data["stream_report"]["status"]),
            (&json!(name), &json!("compared"))
        );
        assert!(data["requests"].as_u64().unwrap() > 0 && data.get("reconcile_report").is_none(), "{data}");
    }
    assert_eq!(said[0]["log"]["message"], "order: 400 objects, equal");
    let here =
        place.engine.reconcile(Reconcile { sync_id: None, ..place.request(&ALL) }, |_| ()).await.unwrap();
    assert_eq!(*report(&said), serde_json::to_value(&here).unwrap());
    assert_eq!((&report(&said)["equal"], &report(&said)["requests"]), (&json!(true), &json!(6)));

    place.execute("DELETE FROM shop.\"order\" WHERE id = 'or_00003'").await;
    place.shop.remove("rate", "rate_3");
    let said = served.said(PATH, &body(&place, &json!({}))).await;
    assert_eq!(said[0]["log"]["message"], "order: 400 objects, 1 different");
    let found = report(&said);
    assert_eq!((&found["equal"], &found["finished"]), (&json!(false), &json!(true)));
    assert_eq!(found["streams"][0]["missing"], json!({"count": 1, "repaired": 0, "ids": ["or_00003"]}));
    assert_eq!(found["streams"][1]["extra"]["ids"], json!(["rate_3"]));

    let since = json!({"since": "2020-09-13T13:00:00Z"});
    assert_eq!(report(&served.said(PATH, &body(&place, &since)).await)["streams"][0]["missing"]["count"], 0);
    let healed = served.said(PATH, &body(&place, &json!({"repair": true, "sync_id": "acct_1"}))).await;
    assert_eq!(report(&healed)["streams"][0]["missing"]["repaired"], 1);
    assert_eq!(report(&healed)["equal"], true);
    assert_eq!(report(&served.said(PATH, &body(&place, &json!({}))).await)["equal"], true);
    let metrics = Answered::of(served.get("/metrics")).await.text;
    assert!(
        metrics.contains(r#"http_requests_total{path="/pipeline_reconcile",status="200"} 5"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"messages_total{operation="pipeline_reconcile"} 20"#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_kept_and_the_same_request_goes_on() {
    let (place, served) = copied(900).await;
    let asked = body(&place, &json!({"sync_id": "acct_1", "max_requests": 4}));
    for runs in 1.. {
        assert!(runs < 30, "it never ends");
        let said = served.said(PATH, &asked).await;
        let report = report(&said);
        assert!(report["requests"].as_u64().unwrap() <= 5, "{report}");
        assert_eq!(place.kept().await.is_none(), report["finished"] == true);
        if report["finished"] == true {
            assert_eq!((&report["equal"], &report["streams"][0]["read"]), (&json!(true), &json!(900)));
            assert!(runs > 2, "{runs}");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_with_their_place() {
    let (place, served) = copied(1).await;
    for (more, place_of, code) in [
        (json!({"pipeline": 7}), "pipeline", "invalid_type"),
        (json!({"since": "yesterday"}), "since", "invalid_value"),
        (json!({"since": 7}), "since", "invalid_type"),
        (json!({"repair": "yes"}), "repair", "invalid_type"),
        (json!({"max_requests": 0}), "max_requests", "too_small"),
        (json!({"max_requests": "many"}), "max_requests", "invalid_type"),
        (json!({"time_limit": 0}), "time_limit", "too_small"),
        (json!({"sync_id": true}), "sync_id", "invalid_type"),
    ] {
        let answered = Answered::of(served.post(PATH, &body(&place, &more))).await;
        assert_eq!(answered.status, 400, "{more}: {}", answered.text);
        let issue = &answered.json()["error"][0];
        assert_eq!((&issue["code"], &issue["path"]), (&json!(code), &json!([place_of])), "{more}");
    }
    let lines = Answered::of(served.post_lines(PATH, body(&place, &json!({})).to_string())).await;
    assert_eq!(lines.status, 400, "{}", lines.text);
}

fn flooded() -> (Flood, Engine, tempfile::TempDir, Value) {
    let flood = Flood::default();
    let folder = tempfile::tempdir().unwrap();
    let file = json!({"path": folder.path().join("a.db")});
    let pipeline =
        json!({"source": {"type": "flood", "flood": {}}, "destination": {"type": "sqlite", "sqlite": file}});
    let engine = Engine::new(Registry::new().with_source(flood.clone()).with_destination(SqliteDestination));
    (flood, engine, folder, pipeline)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_the_comparison() {
    let (flood, engine, _folder, pipeline) = flooded();
    let served = Served::start(engine).await;
    let request = served.post(PATH, &json!({"pipeline": pipeline})).header("X-Action-Id", "away-comparing");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    while flood.open.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(response);
    wait_for_log("away-comparing", "SYNC_CLIENT_DISCONNECT").await;
    while flood.open.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_time_and_a_server_that_stops_end_it_with_a_report() {
    let (flood, engine, _folder, pipeline) = flooded();
    let served = Served::start(engine).await;
    let said = served.said(PATH, &json!({"pipeline": pipeline, "time_limit": 0.2})).await;
    assert_eq!(report(&said)["streams"][0]["reason"], "the time is used up");
    assert_eq!(report(&said)["finished"], false);
    let response = served.post(PATH, &json!({"pipeline": pipeline})).send().await.unwrap();
    while flood.open.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    served.stop.cancel();
    let said = Answered::read(response).await.lines();
    assert_eq!(report(&said)["streams"][0]["reason"], "interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_the_shape_of_all_failures_and_their_kind() {
    let served = Served::start(echo()).await;
    let said = served.said(PATH, &json!({"pipeline": echo_pipeline()})).await;
    assert_eq!(types(&said), ["log", "connection_status"]);
    assert_eq!(
        (&said[0]["log"]["level"], &said[0]["log"]["data"]["kind"]),
        (&json!("error"), &json!("config"))
    );
    assert!(said[1]["connection_status"]["message"].as_str().unwrap().contains("cannot be read back"));

    let pipeline = serde_json::from_value(echo_pipeline()).unwrap();
    let there = RemoteEngine::new(&served.url(""), None).unwrap();
    let error = there.reconcile(Reconcile::new(pipeline), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with(&format!("the engine at {}: ", served.url(""))), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_elsewhere_compares_as_one_here() {
    let (place, served) = copied(400).await;
    let there = RemoteEngine::new(&served.url(""), None).unwrap();
    place.execute("DELETE FROM shop.\"order\" WHERE id = 'or_00003'").await;
    let request = || Reconcile { sync_id: None, ..place.request(&ALL) };
    let (mut heard, mut expected) = (Vec::new(), Vec::new());
    let found = there.reconcile(request(), |report| heard.push(report.clone())).await.unwrap();
    let here = place.engine.reconcile(request(), |report| expected.push(report.clone())).await.unwrap();
    assert_eq!((&found, &heard), (&here, &expected));
    assert!(!found.equal && found.finished);
    let most = Reconcile { repair: true, max_requests: Some(2), ..place.request(&["order"]) };
    let first = there.reconcile(most, |_| ()).await.unwrap();
    assert!(!first.finished && place.kept().await.is_some(), "{first:?}");
    let rest = Reconcile { repair: true, limit: Some(Duration::from_secs(60)), ..place.request(&["order"]) };
    assert!(there.reconcile(rest, |_| ()).await.unwrap().equal);
    assert!(place.kept().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_the_request_and_the_work_there() {
    let (flood, engine, _folder, pipeline) = flooded();
    let served = Served::start(engine.clone()).await;
    let there = RemoteEngine::new(&served.url(""), None).unwrap();
    let pipeline: protocol::PipelineConfig = serde_json::from_value(pipeline).unwrap();
    let stop = CancellationToken::new();
    let discovered = Some(engine.discover(&pipeline.source).await.unwrap().into());
    let request = Reconcile { discovered, stop: stop.clone(), ..Reconcile::new(pipeline) };
    let comparing = tokio::spawn(async move { there.reconcile(request, |_| ()).await.unwrap() });
    while flood.open.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.cancel();
    let report = comparing.await.unwrap();
    assert!(!report.finished && !report.equal);
    assert_eq!(report.streams[0].outcome, Outcome::Unfinished { reason: "interrupted".to_owned() });
    while flood.open.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_engine_that_is_too_old_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let nothing = axum::Router::new().layer(from_fn(http_api::identify));
    let serving = tokio::spawn(async move { axum::serve(listener, nothing).await.unwrap() });
    let there = RemoteEngine::new(&url, None).unwrap();
    let pipeline = serde_json::from_value(echo_pipeline()).unwrap();
    let error = there.reconcile(Reconcile::new(pipeline), |_| ()).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Outdated(text) if text.contains("older than this program")),
        "{error:?}"
    );
    serving.abort();
}
