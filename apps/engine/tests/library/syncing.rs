//! `pipeline_sync` and `pipeline_write`.

use engine::PipelineSync;
use protocol::{Payload, RunStatus, StreamRunStatus, StreamSelection, SyncState};
use serde_json::{Value, json};

use crate::script::{Cue, Script, echo, echoing, eof, heard, input, kinds, record, scripted, state, status};

fn sync(pipeline: protocol::PipelineConfig) -> PipelineSync {
    PipelineSync::new(pipeline)
}

#[tokio::test]
async fn the_client_sees_all_but_records() {
    let script = Script::saying(
        &["a"],
        vec![
            json!({"type": "log", "log": {"level": "info", "message": "hello"}}),
            status("a", "start"),
            record("a", "1"),
            record("a", "2"),
            state("a", 7),
            status("a", "complete"),
        ],
    );
    let (messages, error) = heard(script.engine().pipeline_sync(sync(scripted()))).await;
    assert!(error.is_none());
    let without_progress: Vec<&str> =
        kinds(&messages).into_iter().filter(|kind| *kind != "progress").collect();
    assert_eq!(without_progress, ["log", "stream_status", "source_state", "stream_status", "eof"]);
    assert_eq!(kinds(&messages)[2], "progress", "right after what changed it");
    assert_eq!(kinds(&messages)[messages.len() - 2], "progress", "the last one is never held back");
    assert!(messages.iter().all(|message| message.ts.is_some()));
    let own: Vec<bool> = messages.iter().map(|message| message.emitted_by.is_some()).collect();
    let engines: Vec<bool> = kinds(&messages).iter().map(|kind| ["progress", "eof"].contains(kind)).collect();
    assert_eq!(own, engines, "only the engine's own messages say whose they are");

    let eof = eof(&messages);
    assert_eq!((eof.status, eof.has_more), (RunStatus::Succeeded, false));
    assert_eq!(eof.run_progress.streams["a"].record_count, 2);
    let ending = serde_json::to_value(&eof.ending_state.as_ref().unwrap().source).unwrap();
    assert_eq!(ending, json!({"streams": {"a": 7}, "global": {}}));
}

#[tokio::test]
async fn exactly_the_sources_part_of_the_state_reaches_it() {
    let script = Script::saying(&["a"], vec![]);
    let mut before = SyncState::empty();
    before.source =
        serde_json::from_value(json!({"streams": {"a": {"n": 1}, "z": 2}, "global": {"g": 1}})).unwrap();
    let request = PipelineSync { state: Some(before.clone()), ..sync(scripted()) };
    let (messages, _) = heard(script.engine().pipeline_sync(request)).await;
    let read = script.reads.lock().unwrap()[0].clone();
    assert_eq!(read["state"], json!({"streams": {"a": {"n": 1}, "z": 2}, "global": {"g": 1}}));
    assert_eq!(
        eof(&messages).ending_state.as_ref().unwrap().source,
        before.source,
        "nothing said, nothing changed"
    );
    heard(script.engine().pipeline_sync(sync(scripted()))).await;
    assert_eq!(script.reads.lock().unwrap()[1]["state"], Value::Null);
}

#[tokio::test]
async fn a_run_goes_on_without_what_is_done() {
    let cues = vec![status("a", "error"), status("b", "start"), record("b", "1")];
    let script = Script::saying(&["a", "b"], cues);
    let first = PipelineSync { run_id: Some("r1".to_owned()), ..sync(scripted()) };
    let (messages, _) = heard(script.engine().pipeline_sync(first)).await;
    let ending = eof(&messages).ending_state.clone();
    assert_eq!(eof(&messages).status, RunStatus::Failed, "although b goes on");
    let ceiling = ending.as_ref().unwrap().sync_run.time_ceiling.unwrap();

    let again = PipelineSync { run_id: Some("r1".to_owned()), state: ending.clone(), ..sync(scripted()) };
    let (messages, _) = heard(script.engine().pipeline_sync(again)).await;
    let read = script.reads.lock().unwrap()[1].clone();
    let streams = read["catalog"]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1);
    assert_eq!(streams[0]["stream"]["name"], "b");
    assert_eq!(streams[0]["time_range"]["lt"], json!(ceiling), "the ceiling does not move");
    assert_eq!(eof(&messages).run_progress.streams["b"].record_count, 2, "counts go on");
    assert_eq!(eof(&messages).request_progress.streams["b"].record_count, 1);

    let other = PipelineSync { run_id: Some("r2".to_owned()), state: ending, ..sync(scripted()) };
    heard(script.engine().pipeline_sync(other)).await;
    let read = script.reads.lock().unwrap()[2].clone();
    assert_eq!(read["catalog"]["streams"].as_array().unwrap().len(), 2, "another run tries again");
}

#[tokio::test]
async fn a_stream_with_nothing_to_do_is_complete() {
    let script = Script::saying(&["a", "b"], vec![status("b", "skip")]);
    let (messages, _) = heard(script.engine().pipeline_sync(sync(scripted()))).await;
    let eof = eof(&messages);
    assert_eq!(eof.status, RunStatus::Succeeded);
    assert_eq!(eof.run_progress.streams["a"].status, StreamRunStatus::Completed);
    assert_eq!(eof.run_progress.streams["b"].status, StreamRunStatus::Skipped);
}

#[tokio::test]
async fn after_a_failure_comes_the_eof_and_then_the_error() {
    let cues = vec![Cue::Say(record("a", "1")), Cue::Say(state("a", 1)), Cue::Fail("the cable was cut")];
    let script = Script::new(&["a"], cues);
    let (messages, error) = heard(script.engine().pipeline_sync(sync(scripted()))).await;
    let eof = eof(&messages);
    assert_eq!((eof.status, eof.has_more), (RunStatus::Failed, false));
    assert_eq!(eof.run_progress.streams["a"].record_count, 1);
    assert_eq!(eof.run_progress.streams["a"].status, StreamRunStatus::NotStarted, "not known to be complete");
    assert_eq!(eof.ending_state.as_ref().unwrap().source.streams["a"].as_str(), "1");
    assert_eq!(error.unwrap().to_string(), "the cable was cut");
}

#[tokio::test]
async fn a_request_that_cannot_begin_ends_the_same_way() {
    let mut pipeline = scripted();
    pipeline.streams = Some(vec![StreamSelection { name: "aa".to_owned(), ..StreamSelection::default() }]);
    let script = Script::saying(&["ab"], vec![]);
    let (messages, error) = heard(script.engine().pipeline_sync(sync(pipeline.clone()))).await;
    assert_eq!(kinds(&messages), ["eof"]);
    assert_eq!(eof(&messages).status, RunStatus::Failed);
    assert!(error.unwrap().to_string().contains("no stream `aa`"));
    pipeline.source.connector = "strpe".to_owned();
    let (_, error) = heard(script.engine().pipeline_sync(sync(pipeline))).await;
    assert_eq!(error.unwrap().to_string(), "unknown source connector `strpe`; there is script");
}

#[tokio::test]
async fn push_input_is_echoed_and_completes_nothing() {
    let pipeline = echoing(&json!({"streams": {"a": {}}}));
    let pushed = input(vec![record("a", "1"), record("elsewhere", "2"), state("a", 3)]);
    let request = PipelineSync { input: Some(pushed), ..sync(pipeline) };
    let (messages, error) = heard(echo().pipeline_sync(request)).await;
    assert!(error.is_none());
    let progress = &eof(&messages).run_progress;
    assert_eq!(progress.derived.total_record_count, 1, "the unknown stream was dropped");
    assert_eq!(progress.streams["a"].status, StreamRunStatus::NotStarted);
}

#[tokio::test]
async fn a_failed_connection_fails_the_run() {
    let pipeline = echoing(&json!({"streams": {"a": {}}, "auth_error_after": 1}));
    let pushed = input(vec![record("a", "1"), record("a", "2")]);
    let request = PipelineSync { input: Some(pushed), ..sync(pipeline) };
    let (messages, error) = heard(echo().pipeline_sync(request)).await;
    assert!(error.is_none());
    assert_eq!(eof(&messages).status, RunStatus::Failed);
    assert!(kinds(&messages).contains(&"connection_status"));
}

#[tokio::test]
async fn write_gives_the_destination_records_and_states_only() {
    let pipeline = echoing(&json!({"streams": {"a": {}}}));
    let messages = vec![record("a", "1"), status("a", "complete"), state("a", 1), record("b", "2")];
    let given = futures::stream::iter(messages.into_iter().map(|message| Ok(crate::script::said(message))));
    let (messages, error) = heard(echo().pipeline_write(pipeline, given)).await;
    assert!(error.is_none());
    assert_eq!(kinds(&messages), ["record", "source_state"]);
    assert!(matches!(&messages[0].payload, Payload::Record(record) if &*record.stream == "a"));
}
