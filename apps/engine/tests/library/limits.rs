//! When requests end early.

use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::{PipelineRead, PipelineSync, TimeLimits};
use futures::StreamExt;
use protocol::{Eof, Payload, RunStatus};
use tokio_util::sync::CancellationToken;

use crate::script::{Cue, Script, eof, heard, kinds, record, scripted, state, status};

fn hanging() -> Script {
    let cues =
        vec![Cue::Say(status("a", "start")), Cue::Say(record("a", "1")), Cue::Say(state("a", 1)), Cue::Hang];
    Script::new(&["a"], cues)
}

fn limited(hard: Option<u64>, soft: Option<u64>) -> PipelineSync {
    let limits = TimeLimits { hard: hard.map(Duration::from_secs), soft: soft.map(Duration::from_secs) };
    PipelineSync { limits, ..PipelineSync::new(scripted()) }
}

#[tokio::test(start_paused = true)]
async fn a_hard_limit_ends_a_stuck_sync() {
    let started = tokio::time::Instant::now();
    let (messages, error) = heard(hanging().engine().pipeline_sync(limited(Some(1), None))).await;
    assert!(error.is_none());
    assert_eq!(started.elapsed().as_secs(), 1);
    let eof = eof(&messages);
    assert!(eof.has_more);
    assert_eq!(eof.status, RunStatus::Started);
    assert_eq!(eof.ending_state.as_ref().unwrap().source.streams["a"].as_str(), "1");
}

#[tokio::test(start_paused = true)]
async fn a_soft_limit_comes_before_the_hard_one() {
    let started = tokio::time::Instant::now();
    let (messages, _) = heard(hanging().engine().pipeline_sync(limited(Some(10), None))).await;
    assert_eq!(started.elapsed().as_secs(), 8, "80% of the hard limit");
    assert!(eof(&messages).has_more);

    let started = tokio::time::Instant::now();
    let (messages, _) = heard(hanging().engine().pipeline_sync(limited(None, Some(3)))).await;
    assert_eq!(started.elapsed().as_secs(), 3);
    assert!(eof(&messages).has_more);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_reached_changes_nothing() {
    let script = Script::saying(&["a"], vec![status("a", "complete")]);
    let (messages, _) = heard(script.engine().pipeline_sync(limited(Some(10), Some(5)))).await;
    assert!(!eof(&messages).has_more);
    assert_eq!(eof(&messages).status, RunStatus::Succeeded);
}

#[tokio::test]
async fn zero_is_refused() {
    let (_, error) = heard(hanging().engine().pipeline_sync(limited(Some(0), None))).await;
    assert_eq!(error.unwrap().to_string(), "`time_limit` must be more than 0 seconds");
}

#[tokio::test]
async fn a_stop_ends_the_reading_and_keeps_what_was_read() {
    let script = hanging();
    let stop = CancellationToken::new();
    let request = PipelineSync { stop: stop.clone(), ..PipelineSync::new(scripted()) };
    let mut messages = script.engine().pipeline_sync(request);
    let mut seen = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        if matches!(message.payload, Payload::SourceState(_)) {
            stop.cancel();
        }
        seen.push(message);
    }
    assert!(eof(&seen).has_more);
    assert_eq!(eof(&seen).run_progress.streams["a"].record_count, 1);
}

#[tokio::test]
async fn an_early_stop_reads_nothing() {
    let script = hanging();
    let request = PipelineSync::new(scripted());
    request.stop.cancel();
    let (messages, _) = heard(script.engine().pipeline_sync(request)).await;
    assert!(eof(&messages).has_more);
    assert_eq!(script.pulled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_source_is_not_read_ahead_of_the_client() {
    let cues = (0..1000).map(|n| Cue::Say(record("a", &n.to_string()))).collect::<Vec<_>>();
    let with_log = [Cue::Say(status("a", "start"))].into_iter().chain(cues).collect();
    let script = Script::new(&["a"], with_log);
    let mut messages = script.engine().pipeline_sync(PipelineSync::new(scripted()));
    messages.next().await.unwrap().unwrap();
    assert_eq!(script.pulled.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn reading_ends_with_a_short_eof() {
    let script = Script::saying(&["a"], vec![record("a", "1")]);
    let (messages, _) = heard(script.engine().pipeline_read(PipelineRead::new(scripted()))).await;
    assert_eq!(kinds(&messages), ["record", "eof"]);
    assert!(matches!(messages[1].payload, Payload::Eof(Eof::Read { has_more: false })));

    let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
    // The source gets a share of the hard limit; of two limits the earlier one counts.
    for (hard, soft, ends) in [
        (seconds(5), None, 4),
        (None, seconds(3), 3),
        (seconds(5), seconds(3), 3),
        (seconds(2), seconds(9), 2),
    ] {
        let limits = TimeLimits { hard, soft };
        let started = tokio::time::Instant::now();
        let request = PipelineRead { limits, ..PipelineRead::new(scripted()) };
        let (messages, _) = heard(hanging().engine().pipeline_read(request)).await;
        assert_eq!(started.elapsed().as_secs(), ends, "{limits:?}");
        assert!(matches!(messages.last().unwrap().payload, Payload::Eof(Eof::Read { has_more: true })));
    }

    let failing = Script::new(&["a"], vec![Cue::Fail("broken")]);
    let (messages, error) = heard(failing.engine().pipeline_read(PipelineRead::new(scripted()))).await;
    assert_eq!(kinds(&messages), ["eof"]);
    assert_eq!(error.unwrap().to_string(), "broken");
}

#[tokio::test(start_paused = true)]
async fn progress_is_said_at_most_ten_times_a_second() {
    let states = (0..5000).map(|n| state("a", n)).collect();
    let script = Script::saying(&["a"], states);
    let (messages, _) = heard(script.engine().pipeline_sync(PipelineSync::new(scripted()))).await;
    let said = kinds(&messages).iter().filter(|kind| **kind == "progress").count();
    assert_eq!(said, 2, "time stands still here: the first, and the last");
    let last = messages.iter().rev().find_map(|message| match &message.payload {
        Payload::Progress(progress) => Some(progress),
        _ => None,
    });
    assert_eq!(last.unwrap().derived.total_state_count, 5000);
}
