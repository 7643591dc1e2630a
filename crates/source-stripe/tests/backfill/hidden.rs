//! Rows that lists hide unless they are asked for them.

use protocol::StreamStatus;

use crate::reading::{Account, newest, simulation};

/// Reads a stream of which the account holds rows with `mark` in their texts, which its plain list hides.
async fn arrives(table: &str, count: u64, mark: &str) {
    let catalog = newest();
    let builder = simulation(&catalog).table(table, count).table("test_helpers_test_clock", 3);
    let account = Account::start(&catalog, builder).await;
    let truth = account.truth(table);
    let hidden = truth.values().filter(|text| text.contains(mark)).count();
    assert!((1..truth.len()).contains(&hidden), "{hidden} of {} {table} rows have {mark}", truth.len());
    let said = account.read(account.streams(&[table]).await, None).await;
    assert_eq!(said.end_of(table), &StreamStatus::Complete);
    assert_eq!(said.rows_of(table), truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn canceled_subscriptions_arrive() {
    arrives("subscription", 120, "\"status\":\"canceled\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_accounts_arrive() {
    arrives("v2_core_account", 120, "\"closed\":true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_test_clocks_arrive() {
    arrives("customer", 900, "\"test_clock\":\"").await;
}
