//! Streams flow no faster than they are read, end when nobody reads, and have no end where their input has none.

use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::api::ApiOptions;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::served::{Answered, Served, chunk, echo_pipeline, pipeline_of, types, wait_for_log};
use super::sources::Flood;
use crate::script::{Cue, Script, echo, record, state};

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_source() {
    let flood = Flood::default();
    let served = Served::start(flood.engine()).await;
    let request = served.post("/pipeline_read", &json!({"pipeline": pipeline_of("flood")}));
    let mut body = request.send().await.unwrap().bytes_stream();
    let mut settled = 0;
    // What fits into the buffers of the sockets is produced, and then nothing more.
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let emitted = flood.emitted.load(Ordering::SeqCst);
        if emitted == settled && emitted > 0 {
            break;
        }
        settled = emitted;
    }
    assert!(settled < 50_000, "{settled} KB were produced for nobody");
    while flood.emitted.load(Ordering::SeqCst) == settled {
        body.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_work() {
    let flood = Flood::default();
    let served = Served::start(flood.engine()).await;
    for path in ["/pipeline_read", "/pipeline_sync"] {
        let action = format!("away-from-{}", &path[1..]);
        let request = served.post(path, &json!({"pipeline": pipeline_of("flood")}));
        let response = request.header("X-Action-Id", &action).send().await.unwrap();
        assert_eq!(response.status(), 200);
        while flood.open.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(response);
        wait_for_log(&action, "SYNC_CLIENT_DISCONNECT").await;
        while flood.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let metrics = Answered::of(served.get("/metrics")).await.text;
    assert!(metrics.contains(r#"client_disconnects_total{operation="pipeline_sync"} 1"#), "{metrics}");
}

#[tokio::test]
async fn an_answer_that_was_read_to_its_end_is_no_disconnect() {
    let served = Served::start(echo()).await;
    let request = served.post("/pipeline_read", &json!({"pipeline": echo_pipeline()}));
    Answered::of(request.header("X-Action-Id", "whole")).await;
    // The entry would be made before the next answer.
    Answered::of(served.get("/health")).await;
    let logged = super::served::logged("whole");
    assert!(logged.iter().any(|line| line.contains("request end")), "{logged:?}");
    assert!(!logged.iter().any(|line| line.contains("SYNC_CLIENT_DISCONNECT")), "{logged:?}");
}

#[tokio::test]
async fn silence_is_broken_by_blank_lines() {
    let options = ApiOptions { keep_alive: Duration::from_millis(20), ..ApiOptions::default() };
    let served = Served::with(Script::new(&["a"], vec![Cue::Hang]).engine(), options).await;
    let request = served.post("/pipeline_read", &json!({"pipeline": pipeline_of("script")}));
    let mut body = request.send().await.unwrap().bytes_stream();
    assert_eq!(chunk(&mut body).await.trim_matches('\n'), "");
    assert_eq!(chunk(&mut body).await.trim_matches('\n'), "");
}

#[tokio::test]
async fn limits_end_an_answer_with_more_to_come() {
    let cues = vec![Cue::Say(record("a", "1")), Cue::Say(state("a", 1)), Cue::Hang];
    let served = Served::start(Script::new(&["a"], cues).engine()).await;
    let pipeline = pipeline_of("script");
    for (path, limits, mark) in [
        ("/pipeline_sync", json!({"time_limit": 0.2}), "SYNC_TIME_LIMIT_HARD"),
        ("/pipeline_sync", json!({"soft_time_limit": 0.1}), "SYNC_TIME_LIMIT_SOFT"),
        ("/pipeline_sync", json!({"time_limit": 60, "soft_time_limit": 0.1}), "SYNC_TIME_LIMIT_SOFT"),
        ("/pipeline_read", json!({"time_limit": 0.2}), "SYNC_TIME_LIMIT_HARD"),
        ("/pipeline_read", json!({"time_limit": 2}), "SYNC_TIME_LIMIT_SOFT"),
        ("/pipeline_read", json!({"soft_time_limit": 0.1}), "SYNC_TIME_LIMIT_SOFT"),
        ("/pipeline_read", json!({"time_limit": 60, "soft_time_limit": 0.1}), "SYNC_TIME_LIMIT_SOFT"),
    ] {
        let mut body = json!({"pipeline": pipeline});
        body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        let action = format!("limit-{path}-{limits}").replace('"', "'");
        let request = served.post(path, &body).header("X-Action-Id", &action);
        let said = Answered::of(request).await.lines();
        let eof = said.iter().find(|message| message["type"] == "eof").unwrap();
        assert_eq!(eof["eof"]["has_more"], true, "{path} {limits}");
        assert_eq!(types(&said).last(), Some(&"eof"));
        wait_for_log(&action, mark).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_lets_syncs_say_how_far_they_came() {
    let cues = vec![Cue::Say(record("a", "1")), Cue::Say(state("a", 4)), Cue::Hang];
    let served = Served::start(Script::new(&["a"], cues).engine()).await;
    let body = json!({"pipeline": pipeline_of("script")});
    let request = served.post("/pipeline_sync", &body).header("X-Action-Id", "stopping");
    let response = request.send().await.unwrap();
    served.stop.cancel();
    let said = Answered::read(response).await.lines();
    let eof = &said.last().unwrap()["eof"];
    assert_eq!(eof["has_more"], true);
    wait_for_log("stopping", "SYNC_ABORTED").await;
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

#[tokio::test]
async fn lines_are_written_as_they_arrive() {
    let served = Served::start(echo()).await;
    let (sender, receiver) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|sent| (sent, receiver))
    });
    sender.send(Ok(line(&json!({"pipeline": echo_pipeline()})))).await.unwrap();
    let response =
        served.post_lines("/pipeline_write", reqwest::Body::wrap_stream(body)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut answer = response.bytes_stream();
    for id in ["1", "2", "3"] {
        // Nothing is held back until the end: each is answered before the next is sent.
        sender.send(Ok(line(&record("a", id)))).await.unwrap();
        let said: Value = serde_json::from_str(&chunk(&mut answer).await).unwrap();
        assert_eq!(said["record"]["data"]["id"], id);
    }
    drop(sender);
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn lines_push_into_a_source() {
    let served = Served::start(echo()).await;
    let mut body = line(&json!({"pipeline": echo_pipeline(), "run_id": "r"}));
    for number in 0..20_000 {
        body.extend(line(&record("a", &number.to_string())));
    }
    body.extend(line(&json!({"type": "source_input", "source_input": state("a", 9)})));
    for path in ["/pipeline_sync", "/pipeline_read"] {
        let said = Answered::of(served.post_lines(path, body.clone())).await.lines();
        let states: Vec<&Value> = said.iter().filter(|message| message["type"] == "source_state").collect();
        assert_eq!(states.len(), 1);
        if path == "/pipeline_read" {
            assert_eq!(said.len(), 20_002);
        } else {
            let progress = &said.last().unwrap()["eof"]["run_progress"];
            assert_eq!(progress["streams"]["a"]["record_count"], 20_000);
        }
    }
}

#[tokio::test]
async fn a_line_that_is_no_message_is_named() {
    let served = Served::start(echo()).await;
    let mut body = line(&json!({"pipeline": echo_pipeline()}));
    body.extend(line(&record("a", "1")));
    body.extend(b"\nnot a message\n");
    for path in ["/pipeline_write", "/pipeline_read", "/pipeline_sync"] {
        let answered = Answered::of(served.post_lines(path, body.clone())).await;
        assert_eq!(answered.status, 200);
        let said = answered.lines();
        let failed = said.last().unwrap()["connection_status"]["message"].as_str().unwrap();
        assert!(failed.contains("line 4"), "{path}: {failed}");
    }
    let wrong = line(&json!({"pipeline": echo_pipeline(), "stdin": []}));
    for path in ["/pipeline_write", "/pipeline_read", "/pipeline_sync", "/pipeline_check"] {
        let answered = Answered::of(served.post_lines(path, wrong.clone())).await;
        assert_eq!(answered.status, 400, "{path}");
    }
}
