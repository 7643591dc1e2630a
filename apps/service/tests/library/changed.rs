//! Sources that are replaced: what was found out of them stays, and nothing is taken for something else.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service::standing::Stage;
use service::steps::Bounds;
use stripe_simulator::{Running, Simulator};

use crate::asking::simulation;
use crate::served::{Kept, PATIENCE, Served, account, difference};

/// Another key of the account, as after a rotation; and one of its other mode.
const ROTATED: &str = "sk_test_rotatedkey";
const LIVE: &str = "sk_live_plantedapikey";

/// An account that takes all three keys.
async fn keyed() -> Running {
    simulation().api_key(ROTATED).api_key(LIVE).start().await.unwrap()
}

async fn replace(served: &Served, id: &str, source: &Value) -> (StatusCode, Value) {
    served.ask(Method::PATCH, &format!("/pipelines/{id}"), Some(&json!({"source": source}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_without_beginning_anew() {
    let account = keyed().await;
    let served = Served::start(Kept::File).await;
    let pipeline = served.pipeline(&account, "pipe_key", true);
    served.post("/pipelines", &pipeline).await;
    let before = served.until("pipe_key", |now| now["status"] == "ready").await;
    let found = before["source"]["stripe"].clone();

    // As it was created, with another key; neither the version of the API nor what set-up found is in there.
    let mut source = pipeline["source"].clone();
    source["stripe"]["api_key"] = json!(ROTATED);
    let (answered, now) = replace(&served, "pipe_key", &source).await;
    assert_eq!(answered, StatusCode::OK, "{now}");
    for name in ["api_version", "account_id", "account_created", "webhook_secret"] {
        assert!(!found[name].is_null());
        assert_eq!(now["source"]["stripe"][name], found[name], "{name}");
    }
    assert_ne!(now["source"]["stripe"]["api_key"], found["api_key"]);
    assert!(!now["sync_state"].is_null(), "it begins anew: {now}");
    served.until("pipe_key", |now| now["status"] == "ready").await;
    served.until_equal("pipe_key", &account.control()).await;

    // The objects of the other mode are other ones.
    source["stripe"]["api_key"] = json!(LIVE);
    let (answered, now) = replace(&served, "pipe_key", &source).await;
    assert_eq!((answered, now.get("sync_state")), (StatusCode::OK, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_account_does_not_mix_them() {
    let (account, catalog) = (account().await, stripe_openapi::embedded::newest_version());
    let other = Simulator::builder(stripe_openapi::embedded::catalog(catalog).unwrap())
        .api_key(ROTATED)
        .account("acct_another", 1_600_000_000)
        .table("customer", 3)
        .start()
        .await
        .unwrap();
    let served = Served::start(Kept::File).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_other", false)).await;
    let mut source = served.until("pipe_other", |now| now["status"] == "ready").await["source"].clone();

    // What set-up found is sent back, as by whoever changes what was read.
    source["stripe"]["api_key"] = json!(ROTATED);
    source["stripe"]["base_url"] = json!(other.url());
    assert_eq!(replace(&served, "pipe_other", &source).await.0, StatusCode::OK);
    let refused = served.until("pipe_other", |now| now["status"] == "error").await;
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("the API key belongs to acct_another, but account_id says acct_"), "{why}");
    assert_eq!(difference(&served.file("pipe_other"), &account.control()), None);

    // It is read once that is said.
    source["stripe"]["account_id"] = json!("acct_another");
    source["stripe"]["account_created"] = Value::Null;
    assert_eq!(replace(&served, "pipe_other", &source).await.0, StatusCode::OK);
    served.until("pipe_other", |now| now["status"] == "ready").await;
    let database = rusqlite::Connection::open(served.file("pipe_other")).unwrap();
    let count = "select count(*) from customer where _account_id = 'acct_another'";
    assert_eq!(database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_by_hand_is_read_again_where_it_changed() {
    let account = account().await;
    let served = Served::idle().await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_set", false)).await;
    for stage in [Stage::Setup, Stage::Backfill] {
        served.steps.run("pipe_set", stage, &Bounds::default()).await.unwrap();
    }
    let set_up = async || {
        served.request(Method::POST, "/pipelines/pipe_set/setup").send().await.unwrap().text().await.unwrap();
        served.get("/pipelines/pipe_set").await["status"].clone()
    };
    assert_eq!(set_up().await, "ready", "nothing changed");
    let streams = json!({"streams": [{"name": "customer"}, {"name": "coupon"}]});
    served.ask(Method::PATCH, "/pipelines/pipe_set", Some(&streams)).await;
    assert_eq!(set_up().await, "backfill");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_wanted_later_is_in_all_rows() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    let mut pipeline = served.pipeline(&account, "pipe_field", false);
    let streams = |fields: Value| json!([{"name": "customer", "fields": fields}, {"name": "coupon"}]);
    pipeline["streams"] = streams(json!(["email"]));
    served.post("/pipelines", &pipeline).await;
    served.until("pipe_field", |now| now["status"] == "ready").await;
    let rows = |condition: &str| {
        let database = rusqlite::Connection::open(served.file("pipe_field")).unwrap();
        let count = format!("select count(*) from customer where {condition}");
        database.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let has_name = "json_type(_raw_data, '$.name') = 'text'";
    assert_eq!((rows("true"), rows(has_name)), (250, 0));

    let change = json!({"streams": streams(json!(["email", "name"]))});
    let (status, now) = served.ask(Method::PATCH, "/pipelines/pipe_field", Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    let everywhere = async {
        while rows(has_name) < 250 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, everywhere).await.expect("old rows have no name");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_place_in_the_middle_of_a_reading_gets_everything() {
    let account = account().await;
    let served = Served::idle().await;
    let mut pipeline = served.pipeline(&account, "pipe_moved", false);
    // Slow enough to be in the middle of it for a while.
    pipeline["source"]["stripe"]["rate_limit"] = json!(3);
    served.post("/pipelines", &pipeline).await;
    served.steps.run("pipe_moved", Stage::Setup, &Bounds::default()).await.unwrap();
    let steps = served.steps.clone();
    let reading =
        tokio::spawn(async move { steps.run("pipe_moved", Stage::Backfill, &Bounds::default()).await });
    served.until("pipe_moved", |now| !now["sync_state"].is_null()).await;

    let elsewhere = served.folder.path().join("elsewhere.db");
    let change = json!({"destination": {"type": "sqlite", "sqlite": {"path": elsewhere}}});
    let (status, now) = served.ask(Method::PATCH, "/pipelines/pipe_moved", Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    // What was written to the old place says nothing of the new one.
    assert!(reading.await.unwrap().is_err());
    assert_eq!(served.get("/pipelines/pipe_moved").await["sync_state"], Value::Null);
    for stage in [Stage::Setup, Stage::Backfill] {
        let done = async {
            while served.steps.run("pipe_moved", stage, &Bounds::default()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.unwrap();
    }
    assert_eq!(difference(&elsewhere, &account.control()), None);
}
