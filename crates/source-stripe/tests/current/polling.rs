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

#[tokio::test(flavor = "multi_thread")]
async fn hydrated_fields_and_revalidated_kinds_cost_a_request_for_each_event() {
    let builder = simulation().table("charge", 20).table("customer", 20).table("product", 5);
    let account = Account::start(builder, &["charge", "customer", "product"]).await;
    let account =
        account.with("hydrate", json!(["charge.customer"])).with("revalidate_objects", json!(["product"]));
    account.sync().await;
    let rows = account.copy.lock().unwrap().rows("charge");
    let expanded = |row: &String| row.contains("\"customer\":{\"id\":\"cus_");
    let some = rows.values().filter(|row| expanded(row)).count();
    assert!(some > 0 && rows.values().all(|row| !row.contains("\"customer\":\"cus_")), "{some}");

    let control = account.control();
    let charge = rows.iter().find(|(_, row)| expanded(row)).unwrap().0.clone();
    control.update("charge", &charge, json!({"description": "changed"})).unwrap();
    control.update("product", &control.ids("product").unwrap()[0], json!({"name": "changed"})).unwrap();
    control.update("customer", &control.ids("customer").unwrap()[0], json!({"name": "changed"})).unwrap();
    another_second().await;
    control.reset_counters();
    account.sync().await;
    let row = account.copy.lock().unwrap().rows("charge")[&charge].clone();
    assert!(row.contains("\"description\":\"changed\"") && expanded(&row), "{row}");
    let counters = control.counters();
    assert_eq!(counters.requests_to("/v1/charges/{charge}"), 1);
    assert_eq!(counters.requests_to("/v1/products/{id}"), 1);
    assert_eq!(counters.requests_to("/v1/customers/{customer}"), 0, "its event is enough");
}
