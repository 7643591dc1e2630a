//! What is logged while a request is answered is in its answer, and in no other's.

use futures::future::join_all;
use serde_json::{Value, json};

use super::served::{Answered, Served, pipeline_of, types};
use super::sources::chatty;

fn messages(said: &[Value]) -> Vec<String> {
    let shown = |message: &Value| match message["type"].as_str().unwrap() {
        "log" => message["log"]["message"].as_str().unwrap().to_owned(),
        other => other.to_owned(),
    };
    said.iter().map(shown).collect()
}

#[tokio::test]
async fn entries_come_before_the_message_they_were_made_for() {
    let served = Served::start(chatty()).await;
    let said = served.said("/pipeline_read", &json!({"pipeline": pipeline_of("chatty")})).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.extend(["before a record", "record"]);
    }
    expected.extend(["after the last record", "eof"]);
    assert_eq!(messages(&said), expected);
    assert_eq!(said[0]["log"]["data"]["number"], 0);
    assert_eq!(said[0]["log"]["data"]["action_id"], Value::Null);
    assert!(said[0]["log"]["data"]["name"].as_str().unwrap().contains("sources"), "{}", said[0]);
}

#[tokio::test]
async fn entries_of_a_failure_come_before_its_error() {
    let served = Served::start(chatty()).await;
    let mut pipeline = pipeline_of("chatty");
    pipeline["source"]["chatty"] = json!({"fails": true});
    let said = served.said("/pipeline_write", &json!({"pipeline": pipeline, "stdin": []})).await;
    assert!(types(&said).is_empty(), "writing does not read the source: {said:?}");
    let said = served.said("/pipeline_read", &json!({"pipeline": pipeline})).await;
    let said = messages(&said);
    assert_eq!(
        said[said.len() - 4..],
        ["after the last record", "eof", "the cable was cut", "connection_status"]
    );
}

#[tokio::test]
async fn what_connectors_log_is_told_once() {
    let served = Served::start(chatty()).await;
    let request =
        served.post("/pipeline_check", &json!({"pipeline": pipeline_of("chatty"), "only": "source"}));
    let answered = Answered::of(request.header("X-Action-Id", "told-once")).await;
    assert_eq!(messages(&answered.lines()), ["told by the connector"]);
    let logged = super::served::logged("told-once");
    assert!(logged.iter().any(|line| line.contains("told by the connector")), "{logged:?}");
}

#[tokio::test]
async fn requests_at_once_never_hear_each_other() {
    let served = Served::start(chatty()).await;
    let asked = (0..24).map(|number| {
        let body = json!({"pipeline": pipeline_of("chatty")});
        let request = served.post(&format!("/pipeline_sync?run_id=run-{number}"), &body);
        Answered::of(request.header("X-Action-Id", format!("action-{number}")))
    });
    for (number, answered) in join_all(asked).await.iter().enumerate() {
        let said = answered.lines();
        let logs: Vec<&Value> = said.iter().filter(|message| message["type"] == "log").collect();
        assert_eq!(logs.len(), 6, "{number}: {said:?}");
        let mut ids = std::collections::BTreeSet::new();
        for log in logs {
            let data = &log["log"]["data"];
            assert_eq!(data["action_id"], format!("action-{number}"));
            assert_eq!(data["run_id"], format!("run-{number}"));
            ids.insert(data["sync_engine_request_id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 1);
    }
}
