//! A read that is stopped anywhere goes on without a gap, with one account or with several.

use protocol::{Payload, SourceState, StreamStatus};
use serde_json::{Value, json};

use crate::copy::Copy;
use crate::platform::{Platform, simulation};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_goes_on_from_every_state() {
    let platform =
        Platform::start(simulation(3), &["charge", "customer"]).await.with("poll_events", json!(false));
    let all = [vec![platform.own()], platform.connected()].concat();
    let said = platform.sync().await;
    platform.assert_equal(&all, "read in one go");
    let mut before = Copy::default();
    let mut resumed = 0;
    for message in said {
        before.take(&message);
        if !matches!(message.payload, Payload::SourceState(_)) {
            continue;
        }
        resumed += 1;
        let mut stored = before.clone();
        stored.statuses.clear();
        *platform.copy.lock().unwrap() = stored;
        platform.control().reset_counters();
        platform.sync().await;
        platform.assert_equal(&all, "read from a state on");
        for stream in ["customer", "charge"] {
            assert_eq!(platform.copy.lock().unwrap().ends(stream), [StreamStatus::Complete]);
        }
    }
    assert!(resumed >= 8, "only {resumed} states");
    let rest = platform.control().all_counters().requests_to("/v1/customers");
    assert!(rest <= 4, "what was read is not read again: {rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_and_several_go_on_from_each_other() {
    let several = Platform::start(simulation(2), &["customer"]).await;
    let all = [vec![several.own()], several.connected()].concat();
    let mut several = several;
    let without = |platform: &mut Platform| platform.config.as_object_mut().unwrap().remove("accounts");
    without(&mut several);
    several.sync().await;
    several.assert_equal(&all[..1], "the own account");
    let requests = |platform: &Platform| {
        let count = platform.control().counters().requests_to("/v1/customers");
        platform.control().reset_counters();
        count
    };
    let first = requests(&several);
    assert!(first >= 1);
    let mut several = several.with("accounts", json!("all"));
    several.sync().await;
    several.assert_equal(&all, "all");
    // The newest seconds are always read again.
    assert!(requests(&several) <= 1);
    let with_others = several.state();
    without(&mut several);
    several.sync().await;
    assert!(requests(&several) <= 1);
    let carried = several.state();
    let others = |state: &SourceState| {
        let stream: Value = state.streams["customer"].read().unwrap();
        let global: Value = state.global.read().unwrap();
        (stream["accounts"].clone(), global["accounts"].clone())
    };
    assert_eq!(others(&carried), others(&with_others));
    assert_eq!(others(&carried).0.as_object().unwrap().len(), 2);
    let several = several.with("accounts", json!("all"));
    several.control().reset_counters();
    several.sync().await;
    assert!(several.control().all_counters().requests_to("/v1/customers") <= 3);
    several.assert_equal(&all, "all again");
}
