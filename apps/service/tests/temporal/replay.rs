//! Histories that were recorded with earlier versions of the workflows still replay. A change that breaks this needs
//! `patched`, or workflows under way would stop.
//!
//! `UPDATE_HISTORIES=1 scripts/test-temporal` records those of this version; keep the older ones beside them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use service::temporal::{Client, PipelineBackfill, PipelineWorkflow};
use temporalio_client::{UntypedWorkflow, WorkflowFetchHistoryOptions, WorkflowHistory};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/temporal/histories")
}

/// The history of the latest run of a workflow, in JSON.
async fn history(client: &Client, id: &str) -> Vec<u8> {
    let handle = client.inner().get_workflow_handle::<UntypedWorkflow>(id);
    handle.fetch_history(WorkflowFetchHistoryOptions::default()).to_json().await.expect("a history")
}

/// Replays the history of a workflow that ran just now.
pub(crate) async fn check(client: &Client, id: &str) {
    let json = history(client, id).await;
    if let Err(error) = replay(json).await {
        panic!("{id} does not replay: {error}");
    }
}

/// Replays the history of a workflow that ran just now, and keeps it when that is asked for.
pub(crate) async fn keep(client: &Client, id: &str, name: &str) -> String {
    let json = history(client, id).await;
    if std::env::var_os("UPDATE_HISTORIES").is_some() {
        let mut kept = serde_json::from_slice(&json).unwrap();
        anonymous(&mut kept);
        std::fs::write(folder().join(format!("{name}-1.json")), kept.to_string()).unwrap();
    }
    check(client, id).await;
    String::from_utf8(json).unwrap()
}

/// Takes out who it was, `process@machine`; also from the names of the workers' own queues.
fn anonymous(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(anonymous),
        Value::Object(entries) => entries.values_mut().for_each(anonymous),
        Value::String(text) if text.contains('@') => "worker".clone_into(text),
        _ => {}
    }
}

/// On a thread of its own: workflows do not move between threads.
async fn replay(json: Vec<u8>) -> Result<(), String> {
    let runtime = tokio::runtime::Handle::current();
    let replaying = move || {
        runtime.block_on(async {
            let options = WorkflowReplayerOptions::new()
                .register_workflow::<PipelineWorkflow>()
                .expect("a workflow")
                .register_workflow::<PipelineBackfill>()
                .expect("another")
                .build();
            let history = WorkflowHistory::from_json(&json).expect("a history");
            WorkflowReplayer::new(options)
                .expect("a replayer")
                .replay_workflow(history)
                .await
                .map_err(|error| error.to_string())
        })
    };
    tokio::task::spawn_blocking(replaying).await.expect("the replay ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_histories_replay() {
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder of histories") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let done = replay(std::fs::read(&path).unwrap()).await;
            assert_eq!(done, Ok(()), "{}", path.display());
            replayed += 1;
        }
    }
    assert!(replayed >= 2, "{replayed} histories");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_notices_what_changed() {
    let json = std::fs::read_to_string(folder().join("life-1.json")).unwrap();
    let changed = json.replace("\"pipelineSetup\"", "\"pipelinePrepare\"");
    assert_ne!(json, changed);
    assert!(
        replay(changed.into_bytes()).await.is_err(),
        "the workflow does something else than that history"
    );
}
