//! Changes by the WebSocket, where a source is configured to listen.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use service::guard::Guard;
use service::orchestrator::Pace;

use crate::served::{Kept, Place, Served, account, difference};

/// Events are looked at so seldom that what arrives within a test came by the WebSocket.
const SELDOM: u64 = 3600;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_comes_by_the_websocket() {
    let account = account().await;
    let control = account.control();
    let pace = Pace { follow: Duration::from_secs(SELDOM), reconcile: None };
    let guard = Guard { any_address: true, ..Guard::default() };
    let served = Served::with(Place::new(Kept::File).await, Some(pace), false, guard).await;
    let mut pipeline = served.pipeline(&account, "pipe_live", false);
    pipeline["source"]["stripe"]["websocket"] = true.into();
    pipeline["source"]["stripe"]["poll_interval"] = SELDOM.into();
    served.post("/pipelines", &pipeline).await;
    served.until("pipe_live", |now| now["status"] == "ready" && now["working"] == "follow").await;
    served.until_equal("pipe_live", &control).await;

    // What happens within the second of a reading is in doubt until the log is read again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let ids = control.ids("customer").unwrap();
    control.update("customer", &ids[0], json!({"name": "Somebody"})).unwrap();
    served.until_equal("pipe_live", &control).await;
    control.create("customer", json!({"name": "New"})).unwrap();
    served.until_equal("pipe_live", &control).await;
    control.delete("customer", &ids[1]).unwrap();
    served.until_equal("pipe_live", &control).await;
    let now = served.get("/pipelines/pipe_live").await;
    assert_eq!((&now["status"], now.get("error")), (&json!("ready"), None), "{now}");

    // While it rests nobody listens; afterwards what was missed is read.
    let paused = json!({"desired_status": "paused"});
    served.ask(Method::PATCH, "/pipelines/pipe_live", Some(&paused)).await;
    served.until("pipe_live", |now| now["status"] == "paused" && now.get("working").is_none()).await;
    control.stir(2, 20).unwrap();
    // The log of events is read a second late (`events_lag`), and not again for an hour.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(difference(&served.file("pipe_live"), &control).is_some());
    served.ask(Method::PATCH, "/pipelines/pipe_live", Some(&json!({"desired_status": "active"}))).await;
    served.until_equal("pipe_live", &control).await;
}
