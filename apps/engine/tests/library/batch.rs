//! `pipeline_sync_batch`.

use std::sync::atomic::Ordering;

use engine::PipelineSyncBatch;
use protocol::{RunStatus, StreamRunStatus};

use crate::script::{Cue, Script, record, scripted, state, status};

fn batch(state_limit: u64) -> PipelineSyncBatch {
    PipelineSyncBatch { state_limit, ..PipelineSyncBatch::new(scripted()) }
}

fn three_states() -> Vec<Cue> {
    let mut cues = vec![Cue::Say(status("a", "start"))];
    for n in 1..=3 {
        cues.push(Cue::Say(record("a", &n.to_string())));
        cues.push(Cue::Say(state("a", n)));
    }
    cues.push(Cue::Say(status("a", "complete")));
    cues
}

#[tokio::test]
async fn stops_after_exactly_so_many_states() {
    let script = Script::new(&["a"], three_states());
    let eof = script.engine().pipeline_sync_batch(batch(2)).await.unwrap();
    assert!(eof.has_more);
    assert_eq!(eof.run_progress.streams["a"].state_count, 2);
    assert_eq!(eof.run_progress.streams["a"].record_count, 2);
    assert_eq!(eof.ending_state.unwrap().source.streams["a"].as_str(), "2");
    assert!(script.pulled.load(Ordering::SeqCst) <= 6, "nothing is read beyond the next message");
}

#[tokio::test]
async fn a_limit_at_the_very_end_says_more_and_still_sees_the_completion() {
    let script = Script::new(&["a"], three_states());
    let eof = script.engine().pipeline_sync_batch(batch(3)).await.unwrap();
    assert!(eof.has_more);
    assert_eq!(eof.run_progress.streams["a"].status, StreamRunStatus::Completed);
}

#[tokio::test]
async fn does_not_wait_for_more_after_the_last_state() {
    let cues = vec![Cue::Say(state("a", 1)), Cue::Hang];
    let eof = Script::new(&["a"], cues).engine().pipeline_sync_batch(batch(1)).await.unwrap();
    assert!(eof.has_more);
    assert_eq!(eof.status, RunStatus::Started);
}

#[tokio::test]
async fn ends_with_the_source() {
    let script = Script::new(&["a", "b"], three_states());
    let eof = script.engine().pipeline_sync_batch(batch(1000)).await.unwrap();
    assert!(!eof.has_more);
    assert_eq!(eof.status, RunStatus::Succeeded, "b had nothing to do");
}

#[tokio::test]
async fn a_failure_is_an_error() {
    let script = Script::new(&["a"], vec![Cue::Fail("broken")]);
    assert_eq!(script.engine().pipeline_sync_batch(batch(1)).await.unwrap_err().to_string(), "broken");
    assert!(script.engine().pipeline_sync_batch(batch(0)).await.is_err());
}
