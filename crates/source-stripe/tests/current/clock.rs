//! What happens over time, by a clock that the test moves.

use std::time::Duration;

use protocol::{Payload, StreamStatus};
use serde_json::json;
use stripe_simulator::Clock;

use crate::account::{Account, simulation};

const NOW: i64 = 1_900_000_000;
const DAY: u64 = 24 * 3600;

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_stripe_s_events_reads_everything_again() {
    let clock = Clock::manual(NOW);
    let builder = simulation().clock(clock.clone()).table("customer", 30).table("product", 10);
    let account = Account::start(builder, &["customer", "product"]).await;
    account.sync().await;
    account.assert_equal("after the backfill");
    for id in account.control().ids("customer").unwrap().iter().take(7) {
        account.control().update("customer", id, json!({"metadata": {"changed": "yes"}})).unwrap();
    }
    clock.advance(Duration::from_secs(31 * DAY));
    account
        .control()
        .update("product", &account.control().ids("product").unwrap()[0], json!({"active": false}))
        .unwrap();
    clock.advance(Duration::from_secs(60));
    account.sync().await;
    account.assert_equal("after a pause of 31 days");
    let copy = account.copy.lock().unwrap();
    assert!(
        copy.logs.iter().any(|line| line.contains("30 days") && line.contains("reconcile")),
        "{:?}",
        copy.logs
    );
}
