//! A pipeline from its creation to its end.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{Kept, Place, Served, account, difference, pace};
use service::guard::Guard;

fn status(pipeline: &Value) -> &str {
    pipeline["status"].as_str().unwrap_or_default()
}

async fn lives(kept: Kept) {
    let account = account().await;
    let control = account.control();
    let served = Served::start(kept).await;
    let created = served.post("/pipelines", &served.pipeline(&account, "pipe_life", true)).await;
    assert_eq!((status(&created), &created["desired_status"]), ("setup", &json!("active")));
    let ready = served.until("pipe_life", |now| status(now) == "ready").await;
    assert_eq!(ready["progress"]["streams_done"], 4);
    // What setup was told once is kept, and not shown.
    assert!(ready["source"]["stripe"]["webhook_secret"].as_str().unwrap().starts_with("[set sha256:"));
    served.until_equal("pipe_life", &control).await;

    // Changes come by webhook.
    control.stir(1, 40).unwrap();
    served.until_equal("pipe_life", &control).await;

    // While it rests nothing is written, and nothing is lost.
    let paused = json!({"desired_status": "paused"});
    served.ask(Method::PATCH, "/pipelines/pipe_life", Some(&paused)).await;
    served.until("pipe_life", |now| status(now) == "paused").await;
    control.stir(2, 40).unwrap();
    served.until("pipe_life", |now| now["waiting_deliveries"].as_u64() > Some(0)).await;
    assert!(difference(&served.file("pipe_life"), &control).is_some());
    served.ask(Method::PATCH, "/pipelines/pipe_life", Some(&json!({"desired_status": "active"}))).await;
    served.until_equal("pipe_life", &control).await;
    served.until("pipe_life", |now| now["waiting_deliveries"] == 0).await;

    // Another stream is read from its beginning; a name is only a name.
    let version = served.get("/pipelines/pipe_life").await["version"].as_i64().unwrap();
    let changed = json!({"name": "Shop", "streams": [{"name": "customer"}, {"name": "product"}, {"name": "price"},
        {"name": "charge"}, {"name": "coupon"}]});
    let (answered, now) = served.ask(Method::PATCH, "/pipelines/pipe_life", Some(&changed)).await;
    assert_eq!((answered, &now["name"]), (StatusCode::OK, &json!("Shop")));
    assert!(now["version"].as_i64() > Some(version));
    served.until("pipe_life", |now| status(now) == "ready" && now["progress"]["streams"] == 5).await;

    // It goes, with its tables and its endpoint.
    let endpoints = control.count("webhook_endpoint").unwrap();
    let (_, deleted) = served.ask(Method::DELETE, "/pipelines/pipe_life", None).await;
    assert_eq!(deleted, json!({"id": "pipe_life", "deleted": true}));
    assert_eq!(served.ask(Method::GET, "/pipelines/pipe_life", None).await.0, StatusCode::NOT_FOUND);
    for _ in 0..200 {
        if served.store.get("pipe_life").await.unwrap().is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(served.store.get("pipe_life").await.unwrap().is_none());
    assert_eq!(control.count("webhook_endpoint").unwrap(), endpoints - 1);
    assert!(difference(&served.file("pipe_life"), &control).is_some_and(|why| why.contains("no such table")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_lives_in_a_file() {
    lives(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_lives_in_postgres() {
    lives(Kept::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_by_a_change_goes_like_what_is_deleted() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_gone", false)).await;
    served.until("pipe_gone", |now| status(now) == "ready").await;
    let deleted = json!({"desired_status": "deleted"});
    let (answered, now) = served.ask(Method::PATCH, "/pipelines/pipe_gone", Some(&deleted)).await;
    assert_eq!((answered, &now["desired_status"]), (StatusCode::OK, &json!("deleted")));
    let (answered, _) = served.ask(Method::PATCH, "/pipelines/pipe_gone", Some(&json!({"name": "x"}))).await;
    assert_eq!(answered, StatusCode::NOT_FOUND);
    for _ in 0..200 {
        if served.store.get("pipe_gone").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it was not forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_stopped() {
    let account = account().await;
    let control = account.control();
    let place = Place::new(Kept::Postgres).await;
    let guard = || Guard { any_address: true, ..Guard::default() };
    let mut served = Served::with(place, Some(pace()), false, guard()).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_again", false)).await;
    served.until("pipe_again", |now| status(now) == "ready").await;
    let run = served.get("/pipelines/pipe_again").await["sync_state"]["sync_run"]["run_id"].clone();
    served.stop().await;
    control.stir(5, 30).unwrap();
    let steps = served.steps.clone();
    let again = tokio_util::sync::CancellationToken::new();
    let options = service::orchestrator::EmbeddedOptions { pace: pace(), ..Default::default() };
    let working = tokio::spawn(service::orchestrator::Embedded::new(steps, options).run(again.clone()));
    for _ in 0..600 {
        if difference(&served.file("pipe_again"), &control).is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(difference(&served.file("pipe_again"), &control), None);
    again.cancel();
    working.await.unwrap();
    let record = served.store.get("pipe_again").await.unwrap().unwrap();
    assert_eq!(json!(record.state.unwrap().sync_run.run_id), run, "no second backfill");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_and_passes() {
    use stripe_simulator::{Fault, FaultRule};
    let account = account().await;
    let control = account.control();
    let served = Served::start(Kept::File).await;
    let mut pipeline = served.pipeline(&account, "pipe_fails", false);
    let blocked = served.folder.path().join("blocked");
    std::fs::write(&blocked, "a file, where a folder is needed").unwrap();
    pipeline["destination"]["sqlite"]["path"] = blocked.join("x.db").to_str().into();
    let (answered, refused) = served.ask(Method::POST, "/pipelines", Some(&pipeline)).await;
    assert_eq!(answered, StatusCode::BAD_REQUEST);
    assert!(
        refused["error"].as_str().unwrap().starts_with("Destination check failed (sqlite): "),
        "{refused}"
    );
    served.post("/pipelines?skip_check=true", &pipeline).await;
    let failing = served.until("pipe_fails", |now| now.get("error").is_some()).await;
    assert_eq!(failing["error"]["stage"], "setup");
    std::fs::remove_file(&blocked).unwrap();
    std::fs::create_dir(&blocked).unwrap();
    served.post("/pipelines/pipe_fails/retry", &json!({})).await;
    let ready = served.until("pipe_fails", |now| status(now) == "ready").await;
    assert_eq!(ready.get("error"), None);
    // A stream that cannot be read degrades its pipeline, and no more.
    control.add_fault(FaultRule::always("/v1/charges", Fault::Status(400)));
    served.post("/pipelines", &served.pipeline(&account, "pipe_part", false)).await;
    let part = served.until("pipe_part", |now| status(now) == "ready").await;
    assert_eq!(part["failed_streams"].as_object().unwrap().keys().collect::<Vec<_>>(), ["charge"]);
    assert_eq!(part["progress"]["streams_failed"], 1);
    control.clear_faults();
    let whole = served.until("pipe_part", |now| now.get("failed_streams").is_none()).await;
    assert_eq!(whole["progress"]["streams_failed"], 0);
    served.until_equal("pipe_part", &control).await;
}
