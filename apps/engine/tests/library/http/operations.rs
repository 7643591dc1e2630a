//! What each operation answers.

use protocol::SyncState;
use serde_json::{Value, json};

use super::served::{Answered, Served, echo_pipeline, pipeline_of, types};
use super::sources::chatty;
use crate::script::{Cue, Script, echo, record, state, status};

#[tokio::test]
async fn check_tells_whose_each_message_is() {
    let served = Served::start(echo()).await;
    let said = served.said("/pipeline_check", &json!({"pipeline": echo_pipeline()})).await;
    assert_eq!(types(&said), ["connection_status", "connection_status"]);
    let mut whose: Vec<&str> = said.iter().map(|message| message["_emitted_by"].as_str().unwrap()).collect();
    whose.sort_unstable();
    assert_eq!(whose, ["destination/test", "source/test"]);
    assert!(said.iter().all(|message| message["_ts"].as_str().unwrap().ends_with('Z')));
    let only = json!({"pipeline": echo_pipeline(), "only": "source"});
    let said = served.said("/pipeline_check", &only).await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["_emitted_by"], "source/test");
}

#[tokio::test]
async fn setup_with_nothing_to_set_up_is_one_line_of_log() {
    let served = Served::start(echo()).await;
    let said = served.said("/pipeline_setup", &json!({"pipeline": echo_pipeline()})).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["log"]["message"], "Starting pipeline setup");
    let data = &said[0]["log"]["data"];
    assert_eq!((&data["source_type"], &data["run_destination"]), (&json!("test"), &json!(true)));
    assert!(served.said("/pipeline_teardown", &json!({"pipeline": echo_pipeline()})).await.is_empty());
}

#[tokio::test]
async fn discover_passes_the_catalog_on() {
    let served = Served::start(chatty()).await;
    let source = json!({"source": {"type": "test", "test": {"streams": {"a": {}}}}});
    let said = served.said("/source_discover", &source).await;
    assert_eq!(types(&said), ["catalog"]);
    assert_eq!(said[0]["catalog"]["streams"][0]["name"], "a");
    assert!(said[0].get("_emitted_by").is_none());

    let failing = json!({"source": {"type": "chatty", "chatty": {"undiscoverable": true}}});
    let said = served.said("/source_discover", &failing).await;
    assert_eq!(types(&said), ["log", "connection_status"]);
    assert_eq!(said[0]["log"]["level"], "error");
    assert_eq!(said[1]["connection_status"], json!({"status": "failed", "message": "nothing to be seen"}));

    let said = served.said("/source_discover", &json!({"source": {"type": "nowhere"}})).await;
    assert_eq!(types(&said), ["log", "connection_status"]);
    let message = said[1]["connection_status"]["message"].as_str().unwrap();
    assert!(message.starts_with("unknown source connector `nowhere`"), "{message}");
}

#[tokio::test]
async fn read_gives_the_source_what_is_in_source_input() {
    let served = Served::start(echo()).await;
    let pushed = json!({"type": "source_input", "source_input": record("a", "1")});
    let body = json!({"pipeline": echo_pipeline(), "stdin": [pushed, state("a", 2)]});
    for path in ["/pipeline_read", "/pipeline_sync"] {
        let said = served.said(path, &body).await;
        let eof = said.last().unwrap();
        assert_eq!((&eof["type"], &eof["eof"]["has_more"]), (&json!("eof"), &json!(false)));
        if path == "/pipeline_read" {
            assert_eq!(types(&said), ["record", "source_state", "eof"]);
            assert_eq!(eof["eof"], json!({"has_more": false}));
        } else {
            assert_eq!(types(&said), ["source_state", "progress", "eof"]);
            assert_eq!(eof["eof"]["run_progress"]["derived"]["total_record_count"], 1);
        }
    }
    let idle = served.said("/pipeline_read", &json!({"pipeline": echo_pipeline()})).await;
    assert_eq!(types(&idle), ["eof"], "without input the source `test` says nothing");
}

#[tokio::test]
async fn write_hands_back_what_is_durable() {
    let served = Served::start(echo()).await;
    let stdin = [record("a", "1"), status("a", "complete"), record("unknown", "2"), state("a", 1)];
    let said = served.said("/pipeline_write", &json!({"pipeline": echo_pipeline(), "stdin": stdin})).await;
    let without_log: Vec<&str> = types(&said).into_iter().filter(|kind| *kind != "log").collect();
    assert_eq!(without_log, ["record", "source_state"]);
    let log = said.iter().find(|message| message["type"] == "log").unwrap();
    assert!(log["log"]["message"].as_str().unwrap().contains("Unknown stream not in catalog"), "{log}");
}

#[tokio::test]
async fn a_sync_goes_on_from_the_state_it_answered() {
    let served = Served::start(echo()).await;
    let first =
        json!({"pipeline": echo_pipeline(), "run_id": "r1", "stdin": [record("a", "1"), state("a", 7)]});
    let said = served.said("/pipeline_sync", &first).await;
    let eof = &said.last().unwrap()["eof"];
    let ending = &eof["ending_state"];
    assert_eq!(ending["sync_run"]["run_id"], "r1");
    assert_eq!(ending["source"], json!({"streams": {"a": 7}, "global": {}}));
    assert!(serde_json::from_value::<SyncState>(ending.clone()).is_ok());
    let next =
        json!({"pipeline": echo_pipeline(), "run_id": "r1", "state": ending, "stdin": [record("a", "2")]});
    let said = served.said("/pipeline_sync", &next).await;
    let eof = &said.last().unwrap()["eof"];
    assert_eq!(eof["run_progress"]["streams"]["a"]["record_count"], 2);
    assert_eq!(eof["request_progress"]["streams"]["a"]["record_count"], 1);
    let own = said.iter().filter(|message| message["_emitted_by"] == "engine").count();
    let of_engine = types(&said).iter().filter(|kind| ["progress", "eof"].contains(kind)).count();
    assert_eq!(own, of_engine);
}

#[tokio::test]
async fn payloads_keep_their_text() {
    let served = Served::start(echo()).await;
    let line = r#"{"type":"record","record":{"stream":"a","data":{"id":"1","n":1.00,"big":12345678901234567890},"emitted_at":"2026-01-01T00:00:00.000Z"}}"#;
    let body = format!(r#"{{"pipeline":{},"stdin":[{line}]}}"#, echo_pipeline());
    for path in ["/pipeline_read", "/pipeline_write"] {
        let request = served.post(path, &Value::Null).body(body.clone());
        let answered = Answered::of(request).await;
        assert!(answered.text.contains(r#""n":1.00,"big":12345678901234567890"#), "{}", answered.text);
    }
}

#[tokio::test]
async fn a_batch_is_one_answer() {
    let cues = vec![record("a", "1"), state("a", 1), record("a", "2"), state("a", 2)];
    let served = Served::start(Script::saying(&["a"], cues).engine()).await;
    let body = json!({"pipeline": pipeline_of("script"), "state_limit": 1, "run_id": "r"});
    let answered = Answered::of(served.post("/pipeline_sync_batch", &body)).await;
    assert_eq!((answered.status.as_u16(), answered.kind.as_str()), (200, "application/json"));
    let eof = answered.json();
    assert_eq!((&eof["has_more"], &eof["ending_state"]["source"]["streams"]["a"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn a_batch_that_fails_does_not_say_why_to_the_client() {
    let served = Served::start(Script::new(&["a"], vec![Cue::Fail("a secret of the server")]).engine()).await;
    let body = json!({"pipeline": pipeline_of("script")});
    let answered = Answered::of(served.post("/pipeline_sync_batch", &body)).await;
    assert_eq!(answered.status, 500);
    assert_eq!(answered.json(), json!({"error": "Internal server error"}));
}

#[tokio::test]
async fn a_failure_after_the_beginning_is_in_the_stream() {
    let cues = vec![Cue::Say(record("a", "1")), Cue::Say(state("a", 1)), Cue::Fail("the cable was cut")];
    let served = Served::start(Script::new(&["a"], cues).engine()).await;
    for path in ["/pipeline_read", "/pipeline_sync"] {
        let said = served.said(path, &json!({"pipeline": pipeline_of("script")})).await;
        let kinds = types(&said);
        assert_eq!(kinds[kinds.len() - 3..], ["eof", "log", "connection_status"], "{path}");
        let log = json!({"level": "error", "message": "the cable was cut", "data": {"kind": "internal"}});
        assert_eq!(said[said.len() - 2]["log"], log);
        let failed = json!({"status": "failed", "message": "the cable was cut"});
        assert_eq!(said[said.len() - 1]["connection_status"], failed);
        if path == "/pipeline_sync" {
            let eof = &said[said.len() - 3]["eof"];
            assert_eq!((&eof["status"], &eof["has_more"]), (&json!("failed"), &json!(false)));
            assert_eq!(eof["ending_state"]["source"]["streams"]["a"], 1);
        }
    }
}

#[tokio::test]
async fn a_failed_connection_is_said_once() {
    let failed =
        json!({"type": "connection_status", "connection_status": {"status": "failed", "message": "no"}});
    let cues = vec![Cue::Say(failed), Cue::Fail("no, really")];
    let served = Served::start(Script::new(&["a"], cues).engine()).await;
    let said = served.said("/pipeline_read", &json!({"pipeline": pipeline_of("script")})).await;
    assert_eq!(types(&said), ["connection_status", "eof"]);
}

#[tokio::test]
async fn connectors_are_listed_and_looked_up() {
    let served = Served::start(echo()).await;
    for side in ["sources", "destinations"] {
        let listed = Answered::of(served.get(&format!("/meta/{side}"))).await.json();
        assert_eq!(listed["items"][0]["type"], "test");
        let schema = &listed["items"][0]["config_schema"];
        assert_eq!(schema["type"], "object");
        assert!(schema.get("$schema").is_none());
        let one = Answered::of(served.get(&format!("/meta/{side}/test"))).await.json();
        assert_eq!(one, json!({"config_schema": schema}));
        let unknown = Answered::of(served.get(&format!("/meta/{side}/nowhere"))).await;
        assert_eq!(unknown.status, 404);
        let role = side.trim_end_matches('s');
        assert_eq!(unknown.json(), json!({"error": format!("Unknown {role} connector: nowhere")}));
    }
}
