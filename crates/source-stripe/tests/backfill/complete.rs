//! Every object of every stream arrives, as it is.

use protocol::{Payload, StreamStatus, TimeRange, Timestamp};
use serde_json::json;
use stripe_openapi::embedded;
use stripe_openapi::knowledge::lists::{Remedy, hidden_rows};
use stripe_simulator::Distribution;

use crate::reading::{Account, newest, simulation};

/// Whether some rows of the table can only be had under their parents or not at all.
fn hides_for_good(table: &str) -> bool {
    hidden_rows(table).any(|hidden| matches!(hidden.remedy, Remedy::ListUnder(_) | Remedy::Nothing))
}

async fn all_streams_are_complete(version: &str) {
    let catalog = embedded::catalog(version).unwrap();
    let builder = simulation(&catalog).objects(6_000).oddities(true).pretty(true);
    let account = Account::start(&catalog, builder).await;
    let said = account.read(account.streams(&[]).await, None).await;
    assert_eq!(said.connection, None);
    for (resource, _) in catalog.listable() {
        let table = resource.table.as_str();
        assert_eq!(said.end_of(table), &StreamStatus::Complete, "{version} {table}");
        let mut truth = account.truth(table);
        let mut rows = said.rows_of(table);
        if table == "account" {
            // The account of the key itself is in no list.
            assert!(rows.remove("acct_1SimB7WZ01zgkWwI").is_some(), "{version}: the own account is missing");
        }
        if hides_for_good(table) {
            truth.retain(|id, _| rows.contains_key(id));
        }
        assert_eq!(rows.len(), truth.len(), "{version} {table}");
        for (id, text) in &truth {
            assert_eq!(rows.get(id), Some(text), "{version} {table} {id}");
        }
    }
    assert!(said.rows.len() >= 20, "{version}: only {} streams held rows", said.rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_the_newest_version() {
    all_streams_are_complete(embedded::newest_version()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_2020_08_27() {
    all_streams_are_complete("2020-08-27").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_complete_at_the_oldest_version() {
    all_streams_are_complete(embedded::versions().last().unwrap()).await;
}
