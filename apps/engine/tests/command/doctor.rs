//! `doctor`: what keeps a sync from working.

use serde_json::Value;
use stripe_simulator::{Fault, FaultRule};

use crate::account::Account;
use crate::program::sync_engine;

fn findings(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn grades(stdout: &str) -> Vec<(String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    findings(stdout).iter().map(|finding| (text(finding, "what"), text(finding, "grade"))).collect()
}

#[test]
fn a_healthy_pipeline_is_told_step_by_step() {
    let account = Account::start(|account| account);
    let program = account.program();
    let words = ["doctor", "--sqlite", "a.db", "--streams", "customer,plan"];
    let told = program.run(&words).expect(0).stdout;
    for expected in [
        "ok       version",
        "ok       network",
        "ok       source",
        "2 of 2 streams can be synced",
        "ok       destination",
        "none is stored yet",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    program.run(&["sync", "--sqlite", "a.db", "--streams", "customer,plan"]).expect(0);
    let told = program.run(&words).expect(0).stdout;
    assert!(told.contains("goes on in 2 streams"), "{told}");
}

#[test]
fn what_is_wrong_comes_with_what_to_do() {
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/charges", Fault::Forbidden)));
    let program = account.program();
    let words = ["doctor", "--json", "--sqlite", "a.db", "--streams", "customer,charge"];
    let told = program.run(&words).expect(0).stdout;
    let lacking = findings(&told).into_iter().find(|finding| finding["what"] == "permissions").unwrap();
    assert_eq!(lacking["grade"], "warning");
    assert!(lacking["detail"].as_str().unwrap().contains("rak_charge_read: charge"), "{lacking}");
    assert!(lacking["fix"].as_str().unwrap().contains("grant it"), "{lacking}");

    let words =
        ["doctor", "--json", "--postgres-url", "postgres://me:hidden@127.0.0.1:1/x", "--streams", "customer"];
    let ended = program.run(&words).expect(1);
    let failed: Vec<_> = grades(&ended.stdout).into_iter().filter(|(_, grade)| grade == "failure").collect();
    assert_eq!(failed, [("destination".to_owned(), "failure".to_owned())], "{}", ended.stdout);
    assert!(!ended.stdout.contains("hidden"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_reached_is_told_before_the_key_is_blamed() {
    let program = sync_engine().variable("STRIPE_API_KEY", "sk_test_x");
    let words = ["doctor", "--json", "--sqlite", "a.db", "--stripe-base-url", "http://127.0.0.1:1"];
    let ended = program.run(&words).expect(1);
    let first_failed = grades(&ended.stdout).into_iter().find(|(_, grade)| grade == "failure").unwrap();
    assert_eq!(first_failed.0, "network", "{}", ended.stdout);
    assert!(ended.stdout.contains("HTTPS_PROXY"), "{}", ended.stdout);
}
