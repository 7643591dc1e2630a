//! What is wrong with a request is told with its place.

use serde_json::{Value, json};

use super::served::{Answered, Served, echo_pipeline};
use crate::script::echo;

async fn issues(served: &Served, path: &str, body: Value) -> Vec<(String, Value)> {
    let answered = Answered::of(served.post(path, &body)).await;
    assert_eq!(answered.status, 400, "{body}: {}", answered.text);
    let issues = answered.json()["error"].as_array().unwrap().clone();
    issues
        .into_iter()
        .map(|issue| {
            assert!(!issue["message"].as_str().unwrap().is_empty());
            (issue["code"].as_str().unwrap().to_owned(), issue["path"].clone())
        })
        .collect()
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told() {
    let served = Served::start(echo()).await;
    for body in ["{", "not json", ""] {
        let request = served.post("/pipeline_sync", &json!(null)).body(body);
        let answered = Answered::of(request).await;
        assert_eq!(answered.status, 400);
        assert_eq!(answered.json(), json!({"error": "Malformed JSON in request body"}));
    }
}

#[tokio::test]
async fn a_missing_body_or_another_content_type_is_told() {
    let served = Served::start(echo()).await;
    let bodies =
        ["/pipeline_check", "/pipeline_read", "/pipeline_write", "/pipeline_sync", "/pipeline_reconcile"];
    for path in bodies.into_iter().chain(["/source_discover"]) {
        let request = reqwest::Client::new().post(served.url(path));
        for request in [request.try_clone().unwrap(), request.header("content-type", "text/plain").body("{}")]
        {
            let answered = Answered::of(request).await;
            assert_eq!(answered.status, 400, "{path}");
            assert_eq!(answered.json()["error"][0]["code"], "invalid_type", "{path}");
        }
        assert!(issues(&served, path, json!({})).await.contains(&(
            "invalid_type".to_owned(),
            json!([if path == "/source_discover" { "source" } else { "pipeline" }])
        )));
    }
}

#[tokio::test]
async fn each_mistake_in_a_pipeline_is_told_with_its_place() {
    let served = Served::start(echo()).await;
    let cases = [
        (json!(7), "invalid_type", json!(["pipeline"])),
        (json!({"destination": {"type": "test"}}), "invalid_type", json!(["pipeline", "source"])),
        (
            json!({"source": {"type": "nowhere"}, "destination": {"type": "test"}}),
            "invalid_union",
            json!(["pipeline", "source", "type"]),
        ),
        (
            json!({"source": {"test": {}}, "destination": {"type": "test"}}),
            "invalid_type",
            json!(["pipeline", "source", "type"]),
        ),
        (
            json!({"source": {"type": "test", "test": {"unknown": 1}}, "destination": {"type": "test"}}),
            "custom",
            json!(["pipeline", "source", "test"]),
        ),
        (
            json!({"source": {"type": "test", "test": 1}, "destination": {"type": "test"}}),
            "invalid_type",
            json!(["pipeline", "source", "test"]),
        ),
        (
            json!({"source": {"type": "test"}, "destination": {"type": "test"}, "streams": [{"name": "a"}, {}]}),
            "invalid_type",
            json!(["pipeline", "streams", 1, "name"]),
        ),
        (
            json!({"source": {"type": "test"}, "destination": {"type": "test"},
                   "streams": [{"name": "a", "backfill_limit": 0}]}),
            "too_small",
            json!(["pipeline", "streams", 0, "backfill_limit"]),
        ),
        (
            json!({"source": {"type": "test"}, "destination": {"type": "test"},
                   "streams": [{"name": "a", "sync_mode": "sometimes"}]}),
            "invalid_value",
            json!(["pipeline", "streams", 0]),
        ),
    ];
    for (pipeline, code, path) in cases {
        for operation in ["/pipeline_check", "/pipeline_setup", "/pipeline_teardown", "/pipeline_sync"] {
            let found = issues(&served, operation, json!({"pipeline": pipeline})).await;
            assert_eq!(found, [(code.to_owned(), path.clone())], "{operation} {pipeline}");
        }
    }
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let served = Served::start(echo()).await;
    let body = json!({
        "pipeline": {"source": {"type": "nowhere"}},
        "time_limit": 0,
        "soft_time_limit": "5",
        "run_id": 5,
        "state": {"source": {}},
        "stdin": [{"type": "record"}, 5],
    });
    let found = issues(&served, "/pipeline_sync", body).await;
    let paths: Vec<&Value> = found.iter().map(|(_, path)| path).collect();
    for path in [
        json!(["pipeline", "source", "type"]),
        json!(["pipeline", "destination"]),
        json!(["time_limit"]),
        json!(["soft_time_limit"]),
        json!(["run_id"]),
        json!(["state"]),
        json!(["stdin", 0]),
        json!(["stdin", 1]),
    ] {
        assert!(paths.contains(&&path), "{path} is not in {found:?}");
    }
    assert_eq!(found.len(), 8);
}

#[tokio::test]
async fn what_only_some_operations_take_is_checked_there() {
    let served = Served::start(echo()).await;
    let pipeline = echo_pipeline();
    let only = |path, body| issues(&served, path, body);
    let found = only("/pipeline_check", json!({"pipeline": pipeline, "only": "both"})).await;
    assert_eq!(found, [("invalid_value".to_owned(), json!(["only"]))]);
    let found = only("/pipeline_write", json!({"pipeline": pipeline})).await;
    assert_eq!(found, [("invalid_type".to_owned(), json!(["stdin"]))]);
    for wrong in [json!(0), json!(-1), json!(1.5)] {
        let found = only("/pipeline_sync_batch", json!({"pipeline": pipeline, "state_limit": wrong})).await;
        assert_eq!(found, [("too_small".to_owned(), json!(["state_limit"]))]);
    }
}

#[tokio::test]
async fn extra_members_are_ignored_and_a_missing_configuration_is_an_empty_one() {
    let served = Served::start(echo()).await;
    let pipeline = json!({"source": {"type": "test"}, "destination": {"type": "test"}, "name": "mine"});
    let said = served.said("/pipeline_check", &json!({"pipeline": pipeline, "other": 1})).await;
    assert_eq!(said.len(), 2);
}

#[tokio::test]
async fn a_long_body_is_refused() {
    let served = Served::start(echo()).await;
    let body = vec![b' '; http_api::BODY_LIMIT + 1];
    let answered = Answered::of(served.post("/pipeline_sync", &json!(null)).body(body)).await;
    assert_eq!(answered.status, 413);
    assert!(answered.json()["error"].as_str().unwrap().contains("application/x-ndjson"));
}
