//! What the log of events tells, once and live.

use serde_json::json;

use crate::account::{Account, another_second, newest, simulation};

pub(crate) const STIRRED: [&str; 13] = [
    "customer",
    "product",
    "price",
    "plan",
    "coupon",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
    "tax_id",
    "subscription_item",
    "line_item",
    "customer_balance_transaction",
];

async fn stirred() -> Account {
    let builder = ["customer", "product", "price", "coupon", "subscription", "invoice", "charge"]
        .into_iter()
        .fold(simulation(), |builder, table| builder.table(table, 30));
    Account::start(builder, &STIRRED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_with_the_next_read() {
    let account = stirred().await;
    account.sync().await;
    account.assert_equal("after the backfill");
    for round in 0..3 {
        account.control().stir(round, 60).unwrap();
        another_second().await;
        account.sync().await;
        account.assert_equal("after a stir");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_live() {
    let account = stirred().await;
    let live = account.live();
    account.settle("after the backfill").await;
    for round in 10..14 {
        account.control().stir(round, 40).unwrap();
        account.settle("after a stir").await;
    }
    drop(live);
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_another_version_are_read_again() {
    let old = stripe_openapi::embedded::catalog("2023-10-16").unwrap();
    let builder = simulation().table("subscription", 20).events_version(old);
    let account = Account::start(builder, &["subscription", "subscription_item"]).await;
    account.sync().await;
    for id in account.control().ids("subscription").unwrap().iter().take(10) {
        account.control().update("subscription", id, json!({"metadata": {"changed": "yes"}})).unwrap();
    }
    another_second().await;
    account.control().reset_counters();
    account.sync().await;
    account.assert_equal("after changes");
    let template = newest().resource("subscription").unwrap().retrieve_path.clone().unwrap();
    assert_eq!(account.control().counters().requests_to(&template), 10);
}
