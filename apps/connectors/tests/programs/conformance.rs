//! Our connectors keep to the contract, as `sync-engine conformance` checks it.

use engine::Role;
use engine::conformance::{Conformance, Report};
use serde_json::{Map, Value, json};
use stripe_simulator::{DEFAULT_API_KEY, Simulator};

use crate::{SOURCE, SQLITE};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

#[track_caller]
fn passed(report: &Report) {
    assert!(report.passed(), "{}", report.table());
}

#[tokio::test(flavor = "multi_thread")]
async fn source_stripe_does() {
    let catalog = stripe_openapi::embedded::catalog("2020-08-27").unwrap();
    let simulator = Simulator::builder(catalog).table("customer", 250).table("charge", 30);
    let account = simulator.start().await.unwrap();
    let config = |key: &str| {
        object(json!({
            "api_key": key, "api_version": "2020-08-27", "base_url": account.url(),
            "rate_limit": 100_000, "endpoint_rate_limit": 100_000,
        }))
    };
    let suite = Conformance {
        role: Role::Source,
        command: vec![SOURCE.to_owned()],
        config: config(DEFAULT_API_KEY),
        bad_config: Some(config("sk_test_wrong")),
        catalog: None,
        rows: None,
    };
    passed(&suite.run().await);
    account.stop().await;
}

/// Prints the rows of a table; one that is not there has none.
const ROWS: &str = "\
import json, sqlite3, sys
for id, note in sqlite3.connect(sys.argv[1]).execute(f'select id, note from \"{sys.argv[2]}\"'):
    print(json.dumps({'id': id, 'note': note}))
";

#[tokio::test(flavor = "multi_thread")]
async fn destination_sqlite_does() {
    let folder = tempfile::tempdir().unwrap();
    let (file, rows) = (folder.path().join("copy.db"), folder.path().join("rows.py"));
    std::fs::write(&rows, ROWS).unwrap();
    let words = ["python3".to_owned(), rows.display().to_string(), file.display().to_string()];
    let suite = Conformance {
        role: Role::Destination,
        command: vec![SQLITE.to_owned()],
        config: object(json!({"path": file})),
        // Folders that are missing are made; a file is none.
        bad_config: Some(object(json!({"path": rows.join("copy.db")}))),
        catalog: None,
        rows: Some(words.to_vec()),
    };
    passed(&suite.run().await);
}
