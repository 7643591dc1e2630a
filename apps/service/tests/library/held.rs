//! A stream that fails holds up what was delivered about it, and nothing else.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use service::guard::Guard;
use service::orchestrator::Pace;
use service::store::Delivery;
use stripe_simulator::{Control, Fault, FaultRule};

use crate::served::{Kept, Place, Served, account, difference};

/// More than are applied at once.
const CHARGES: usize = 620;

/// Events of a version that is not the pipeline's, so that their objects are read.
fn delivery(number: usize, kind: &str, id: &str, control: &Control) -> Delivery {
    let object = control.get(kind, id).unwrap().unwrap();
    let event = format!("evt_{kind}_{number}");
    let body = json!({"id": event, "object": "event", "type": format!("{kind}.updated"), "created": control.now(),
        "api_version": "2015-01-01", "data": {"object": object}});
    Delivery { pipeline: "pipe_held".to_owned(), event, object: Some(id.to_owned()), body: body.to_string() }
}

fn waiting(now: &Value) -> usize {
    usize::try_from(now["waiting_deliveries"].as_u64().unwrap()).unwrap()
}

async fn others_pass(kept: Kept) {
    let account = account().await;
    let control = account.control();
    let pace = Pace { follow: Duration::from_secs(3600), reconcile: None };
    let guard = Guard { any_address: true, ..Guard::default() };
    let served = Served::with(Place::new(kept).await, Some(pace), false, guard).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_held", false)).await;
    served.until("pipe_held", |now| now["status"] == "ready").await;

    // Charges cannot be read, and hundreds of deliveries are about them.
    control.add_fault(FaultRule::always("/v1/charges*", Fault::Status(400)));
    let charges = control.ids("charge").unwrap();
    for (number, id) in charges.iter().cycle().take(CHARGES).enumerate() {
        if number < charges.len() {
            control.update("charge", id, json!({"description": "changed"})).unwrap();
        }
        served.store.deliver(&[delivery(number, "charge", id, &control)]).await.unwrap();
    }
    let failing = |now: &Value| now["failed_streams"].get("charge").is_some() && waiting(now) == CHARGES;
    served.until("pipe_held", failing).await;

    // A customer changes behind them, and is not kept waiting.
    let id = control.ids("customer").unwrap()[0].clone();
    control.update("customer", &id, json!({"name": "Somebody"})).unwrap();
    served.store.deliver(&[delivery(0, "customer", &id, &control)]).await.unwrap();
    let applied = served.get("/pipelines/pipe_held/wait?event=evt_customer_0&timeout=30").await;
    assert_eq!(applied, json!({"applied": true}));
    // A later one about a charge does not overtake those before it.
    served.store.deliver(&[delivery(CHARGES, "charge", &charges[0], &control)]).await.unwrap();
    let now = served.until("pipe_held", |now| waiting(now) == CHARGES + 1).await;
    assert!(now["failed_streams"]["charge"].is_string(), "{now}");
    assert!(difference(&served.file("pipe_held"), &control).unwrap().starts_with("charge"));

    // Once the stream works everything is applied, none was lost.
    control.clear_faults();
    served.ask(Method::POST, "/pipelines/pipe_held/retry", None).await;
    let now = served.until("pipe_held", |now| waiting(now) == 0 && now.get("failed_streams").is_none()).await;
    assert_eq!(now.get("error"), None, "{now}");
    served.until_equal("pipe_held", &control).await;
    for event in ["evt_charge_0".to_owned(), format!("evt_charge_{CHARGES}")] {
        assert_eq!(served.store.event_applied("pipe_held", &event).await.unwrap(), Some(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_other_streams_pass_in_a_file() {
    others_pass(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_other_streams_pass_in_postgres() {
    others_pass(Kept::Postgres).await;
}

/// What is held and forgotten in the pipeline's standing, such as after a change of its source, waits like the rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_is_held_no_more() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_held", false)).await;
    served.until("pipe_held", |now| now["status"] == "ready").await;
    let paused = json!({"desired_status": "paused"});
    served.ask(Method::PATCH, "/pipelines/pipe_held", Some(&paused)).await;
    served.until("pipe_held", |now| now["status"] == "paused").await;
    let id = account.control().ids("customer").unwrap()[0].clone();
    served.store.deliver(&[delivery(1, "customer", &id, &account.control())]).await.unwrap();
    let held = served.store.waiting("pipe_held", 10).await.unwrap();
    served.store.hold("pipe_held", &[(held[0].sequence, "customer".to_owned())]).await.unwrap();
    assert_eq!(served.store.waiting("pipe_held", 10).await.unwrap(), []);
    assert_eq!(waiting(&served.get("/pipelines/pipe_held").await), 1);
    served.ask(Method::PATCH, "/pipelines/pipe_held", Some(&json!({"desired_status": "active"}))).await;
    served.until("pipe_held", |now| waiting(now) == 0).await;
}
