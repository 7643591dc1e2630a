//! A stream is called complete only while its copy is.

use std::time::Duration;

use protocol::StreamStatus;
use serde_json::json;
use stripe_simulator::{Clock, Fault, FaultRule};

use crate::account::{Account, another_second, simulation};

impl Account {
    fn end(&self, stream: &str) -> StreamStatus {
        self.copy.lock().unwrap().ends[stream].clone()
    }

    fn assert_complete(&self, stream: &str) {
        assert_eq!(self.end(stream), StreamStatus::Complete, "{stream}");
    }

    /// Waits until what was said of the stream last is that it is not current.
    async fn wait_for_error(&self, stream: &str) {
        for _ in 0..300 {
            if matches!(self.end(stream), StreamStatus::Error { .. }) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{stream}: {:?}", self.end(stream));
    }

    async fn wait_for_complete(&self, stream: &str) {
        for _ in 0..300 {
            if self.end(stream) == StreamStatus::Complete {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.assert_complete(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_changes_cannot_be_seen_are_not_current() {
    let builder = simulation().table("customer", 20).table("coupon", 5).table("tax_code", 3);
    let account = Account::start(builder, &["customer", "coupon", "tax_code"]).await;
    let control = account.control();
    control.add_fault(FaultRule::always("/v1/events", Fault::Forbidden));
    account.sync().await;
    for stream in ["customer", "coupon", "tax_code"] {
        account.assert_complete(stream);
    }
    let warned = account.copy.lock().unwrap().logs.iter().any(|line| line.contains("rak_event_read"));
    assert!(warned, "the first reading warns of what the next one cannot see");

    let changed = control.ids("customer").unwrap()[0].clone();
    control.update("customer", &changed, json!({"name": "Unseen"})).unwrap();
    control.add_fault(FaultRule::always(
        "/v1/coupons",
        Fault::Refused { status: 400, message: "Broken".to_owned(), code: None },
    ));
    another_second().await;
    account.sync().await;
    let StreamStatus::Error { error } = account.end("customer") else {
        panic!("{:?}", account.end("customer"))
    };
    assert!(error.contains("not current") && error.contains("rak_event_read"), "{error}");
    let StreamStatus::Error { error } = account.end("coupon") else { panic!("{:?}", account.end("coupon")) };
    assert!(error.contains("Broken"), "what is said of its list stands: {error}");
    account.assert_complete("tax_code");

    control.clear_faults();
    account.sync().await;
    for stream in ["customer", "coupon", "tax_code"] {
        account.assert_complete(stream);
    }
    account.assert_equal("once events can be read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_what_is_not_current_is_said_and_taken_back() {
    let clock = Clock::manual(1_900_000_000);
    let builder = simulation().clock(clock.clone()).table("customer", 20).table("terminal_location", 3);
    let account = Account::start(builder, &["customer", "terminal_location"]).await;
    let control = account.control();
    let live = account.live();
    account.settle("after the backfill").await;
    account.wait_for_complete("customer").await;

    let no_events = control.add_fault(FaultRule::always("/v1/events", Fault::Forbidden));
    clock.advance(Duration::from_secs(5));
    account.wait_for_error("customer").await;
    account.assert_complete("terminal_location");
    control.remove_fault(no_events);
    account.wait_for_complete("customer").await;

    control.add_fault(FaultRule::always("/v1/terminal/locations", Fault::Forbidden));
    clock.advance(Duration::from_secs(3_700));
    account.wait_for_error("terminal_location").await;
    account.assert_complete("customer");
    control.clear_faults();
    clock.advance(Duration::from_secs(3_700));
    account.wait_for_complete("terminal_location").await;
    drop(live);
}
