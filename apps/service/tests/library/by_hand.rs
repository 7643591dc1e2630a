//! What a client does by hand.

use std::sync::Arc;

use engine::Side;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use service::guard::Guard;
use service::standing::Stage;
use service::steps::{Bounds, Connections, ManualSync};
use stripe_simulator::{Fault, FaultRule};
use tokio_util::sync::CancellationToken;

use crate::served::{Kept, Served, TABLES, account, difference};

/// Asks by `POST`, and answers the messages.
async fn told(served: &Served, path: &str) -> Vec<Value> {
    let answer = served.request(Method::POST, path).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}");
    let text = answer.text().await.unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_by_hand_is_told_and_kept() {
    let account = account().await;
    let control = account.control();
    let served = Served::idle().await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_hand", false)).await;
    told(&served, "/pipelines/pipe_hand/setup").await;
    let synced = told(&served, "/pipelines/pipe_hand/sync?run_id=r1").await;
    let eof = &synced.last().unwrap()["eof"];
    assert_eq!((&eof["status"], &eof["has_more"]), (&json!("succeeded"), &json!(false)));
    assert_eq!(difference(&served.file("pipe_hand"), &control), None);
    let kept = served.get("/pipelines/pipe_hand").await["sync_state"].clone();
    assert_eq!(kept["sync_run"]["run_id"], "r1");
    assert_eq!(kept["source"], eof["ending_state"]["source"]);

    control.stir(3, 30).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let batch = served.post("/pipelines/pipe_hand/sync_batch?run_id=r2", &json!({})).await;
    assert_eq!(batch["has_more"], false);
    assert_eq!(difference(&served.file("pipe_hand"), &control), None);

    control.stir(4, 30).unwrap();
    let simulated =
        told(&served, "/pipelines/pipe_hand/simulate_webhook_sync?created_after=1700000000").await;
    let eof = &simulated.last().unwrap()["eof"];
    assert_eq!((&eof["status"], &eof["has_more"]), (&json!("succeeded"), &json!(false)));
    assert_eq!(eof["run_progress"]["derived"]["status"], "succeeded");
    assert_eq!(difference(&served.file("pipe_hand"), &control), None);

    let tested = served.post("/pipelines/pipe_hand/sync_workflow_test", &json!({})).await;
    assert_eq!(tested["eof"]["status"], "succeeded");

    let checked = told(&served, "/pipelines/pipe_hand/check?only=source").await;
    assert!(checked.iter().all(|line| line["_emitted_by"] == "source/stripe"));
    told(&served, "/pipelines/pipe_hand/teardown").await;
    let after = served.get("/pipelines/pipe_hand").await;
    assert_eq!((&after["desired_status"], after.get("sync_state")), (&json!("paused"), None));
}

/// The number of records, of streams, and of those that are done.
fn done(pipeline: &Value) -> (u64, u64, u64) {
    let count = |name: &str| pipeline["progress"][name].as_u64().unwrap();
    (count("records"), count("streams"), count("streams_done"))
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_synced_by_hand_add_up() {
    let account = account().await;
    let control = account.control();
    let mut served = Served::idle().await;
    let path = "/pipelines/pipe_parts";
    served.post("/pipelines", &served.pipeline(&account, "pipe_parts", false)).await;
    told(&served, &format!("{path}/setup")).await;
    let all = TABLES.len() as u64;
    // Each by a run of its own, and by none.
    let mut records = 0;
    let mut last = 0;
    for (number, run) in (0..1000).map(|number| (number, if number % 2 == 0 { "" } else { "&run_id=odd" })) {
        let batch = served.post(&format!("{path}/sync_batch?state_limit=1{run}"), &json!({})).await;
        records += batch["request_progress"]["derived"]["total_record_count"].as_u64().unwrap();
        let now = done(&served.get(path).await);
        assert_eq!((now.0, now.1), (records, all), "after part {number}");
        assert!(now.2 >= last, "streams are done once");
        last = now.2;
        if batch["has_more"] == false {
            break;
        }
        assert!(number < 999, "there is no end");
    }
    assert_eq!((last, difference(&served.file("pipe_parts"), &control)), (all, None));

    // The lists are read: what changes is no part of them.
    control.stir(7, 30).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let changed = told(&served, &format!("{path}/sync?time_limit=30")).await;
    let count = &changed.last().unwrap()["eof"]["request_progress"]["derived"]["total_record_count"];
    assert!(count.as_u64().unwrap() > 0);
    assert_eq!(done(&served.get(path).await), (records, all, all));
    told(&served, &format!("{path}/simulate_webhook_sync")).await;
    assert_eq!(done(&served.get(path).await), (records, all, all));

    // From the beginning is anew.
    let batch = served.post(&format!("{path}/sync_batch?state_limit=1&reset_state=true"), &json!({})).await;
    let anew = batch["request_progress"]["derived"]["total_record_count"].as_u64().unwrap();
    assert!(batch["has_more"] == true && anew < records);
    assert_eq!(done(&served.get(path).await).0, anew);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_on_after_a_part_that_was_synced_by_hand() {
    let account = account().await;
    let served = Served::idle().await;
    let path = "/pipelines/pipe_between";
    served.post("/pipelines", &served.pipeline(&account, "pipe_between", false)).await;
    let bounds = |stop: &CancellationToken| Bounds { stop: stop.clone(), ..Bounds::default() };
    let whole = CancellationToken::new();
    served.steps.run("pipe_between", Stage::Setup, &bounds(&whole)).await.unwrap();
    // Stopped in the middle: one list comes late.
    let late = FaultRule::always("/v1/charges", Fault::Latency { ms: 1000, jitter_ms: 0 });
    let rule = account.control().add_fault(late);
    let stop = CancellationToken::new();
    let until = stop.clone();
    let beat = Arc::new(move |records: u64| {
        if records > 0 {
            until.cancel();
        }
    });
    let part = Bounds { beat, ..bounds(&stop) };
    let report = served.steps.run("pipe_between", Stage::Backfill, &part).await.unwrap();
    assert!(report.has_more && report.records > 0);
    account.control().remove_fault(rule);
    let first = done(&served.get(path).await).0;
    assert_eq!(first, report.records);
    let batch = served.post(&format!("{path}/sync_batch?state_limit=1&run_id=other"), &json!({})).await;
    let second = batch["request_progress"]["derived"]["total_record_count"].as_u64().unwrap();
    assert_eq!(done(&served.get(path).await).0, first + second);
    let rest = served.steps.run("pipe_between", Stage::Backfill, &bounds(&whole)).await.unwrap();
    assert!(!rest.has_more);
    let now = served.get(path).await;
    let all = TABLES.len() as u64;
    assert_eq!((done(&now), &now["status"]), ((first + second + rest.records, all, all), &json!("ready")));
    assert_eq!(difference(&served.file("pipe_between"), &account.control()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_makes_room_for_a_sync_by_hand() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_room", false)).await;
    let synced = told(&served, "/pipelines/pipe_room/sync").await;
    assert_eq!(synced.last().unwrap()["eof"]["status"], "succeeded");
    served.until("pipe_room", |now| now["status"] == "ready").await;
    served.until_equal("pipe_room", &account.control()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_events_are_asked_for_as_the_source_asks() {
    let account = account().await;
    let served = Served::idle().await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_past", false)).await;
    told(&served, "/pipelines/pipe_past/sync").await;
    let simulate = "/pipelines/pipe_past/simulate_webhook_sync";
    let refusal = FaultRule::always("/v1/events", Fault::Forbidden);
    let rule = account.control().add_fault(refusal);
    let refused = Value::from(told(&served, simulate).await).to_string();
    assert!(refused.contains("grant it read access to Events"), "{refused}");
    account.control().remove_fault(rule);
    let simulated = told(&served, simulate).await;
    assert_eq!(simulated.last().unwrap()["type"], "eof");
    assert!(!Value::from(simulated).to_string().contains("read access to Events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipeline_may_not_name_any_more_is_not_synced_by_hand() {
    let account = account().await;
    let served = Served::idle().await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_moved", false)).await;
    // As if its names led elsewhere by now.
    let steps = served.steps.clone().guarded(Guard::default());
    let pipeline = served.store.get("pipe_moved").await.unwrap().unwrap().pipeline.config();
    for mut said in [
        steps.sync_by_hand("pipe_moved", ManualSync::of(pipeline)),
        steps.connect_by_hand("pipe_moved", Connections::SetUp, Side::Both, CancellationToken::new()),
    ] {
        let refused = said.next().await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("private address"), "{refused}");
    }
}
