//! Nested lists arrive whole.

use serde_json::json;
use stripe_simulator::{Fault, FaultRule};

use crate::reading::{Account, newest, simulation};

const LINES: &str = "/v1/invoices/{invoice}/lines";

/// An account with one invoice for each of `counts`, which has so many lines; and the invoices' ids.
async fn invoices(counts: &[usize]) -> (Account, Vec<String>) {
    let catalog = newest();
    let builder = simulation(&catalog).table("invoice", counts.len() as u64).long_lists(0).pretty(true);
    let account = Account::start(&catalog, builder).await;
    let control = account.control();
    let ids = control.ids("invoice").unwrap();
    for (id, count) in ids.iter().zip(counts) {
        let has = control.get("invoice", id).unwrap().unwrap()["lines"]["data"].as_array().unwrap().len();
        for _ in has..*count {
            control.create("line_item", json!({"parent": id})).unwrap();
        }
    }
    (account, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_any_length_are_whole_and_cost_what_they_must() {
    let (account, _) = invoices(&[10, 11, 110, 111, 250, 3]).await;
    let said = account.read(account.streams(&["invoice"]).await, None).await;
    assert_eq!(said.rows_of("invoice"), account.truth("invoice"));
    assert!(said.rows_of("invoice").values().all(|row| !row.contains("\"has_more\":true")));
    // 11 and 110: one page of the rest; 111: two; 250: three. None for ten and less.
    assert_eq!(account.control().counters().requests_to(LINES), 1 + 1 + 2 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_not_cut_cost_nothing() {
    let (account, _) = invoices(&[10, 1, 9]).await;
    let said = account.read(account.streams(&["invoice"]).await, None).await;
    assert_eq!(said.rows_of("invoice"), account.truth("invoice"));
    assert_eq!(account.control().counters().requests_to(LINES), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_completed_is_not_passed_for_whole() {
    let (account, _) = invoices(&[11, 2]).await;
    let refused = Fault::Refused { status: 400, message: "Not today.".to_owned(), code: None };
    let fault = account.control().add_fault(FaultRule::always("/v1/invoices/*/lines", refused));
    let failed = account.read(account.streams(&["invoice"]).await, None).await;
    assert!(matches!(failed.end_of("invoice"), protocol::StreamStatus::Error { .. }));
    assert_eq!(failed.records, 0);
    account.control().remove_fault(fault);
    let said = account.read(account.streams(&["invoice"]).await, Some(failed.state)).await;
    assert_eq!(said.rows_of("invoice"), account.truth("invoice"));
}
