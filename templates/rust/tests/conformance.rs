//! The template keeps to the contract, as `sync-engine conformance` checks it.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use engine::Role;
use engine::conformance::{Conformance, Outcome};
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

#[tokio::test]
async fn it_keeps_to_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "milk\nbread\n\neggs, six of them\nstill being writ").unwrap();
    let suite = Conformance {
        role: Role::Source,
        command: vec![env!("CARGO_BIN_EXE_source-notes").to_owned()],
        config: object(json!({"path": path})),
        bad_config: Some(object(json!({"path": folder.path().join("none")}))),
        catalog: None,
        rows: None,
    };
    let report = suite.run().await;
    assert!(report.passed(), "{}", report.table());
    let unchecked: Vec<&str> = report
        .checks()
        .iter()
        .filter(|check| matches!(check.outcome, Outcome::Unchecked(_)))
        .map(|check| check.rule.name)
        .collect();
    assert_eq!(unchecked, ["selected streams alone"], "there is one stream");
}
