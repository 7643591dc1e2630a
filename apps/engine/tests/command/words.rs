//! Help, completions, and texts about mistakes.

use crate::program::{KEY, settled, sync_engine};

#[test]
fn help_is_complete() {
    for (name, words) in [
        ("help", ["--help"].as_slice()),
        ("help_sync", &["sync", "--help"]),
        ("help_reconcile", &["reconcile", "--help"]),
        ("help_demo", &["demo", "--help"]),
        ("help_streams", &["streams", "--help"]),
        ("help_api", &["api", "--help"]),
    ] {
        let ended = sync_engine().variable("STRIPE_API_KEY", KEY).run(words).expect(0);
        assert_eq!(ended.stderr, "");
        insta::assert_snapshot!(name, ended.stdout);
    }
}

#[test]
fn without_words_there_is_help_and_a_failure() {
    let ended = sync_engine().run(&[]).expect(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("Usage: sync-engine"), "{}", ended.stderr);
}

#[test]
fn the_version_is_told() {
    let ended = sync_engine().run(&["--version"]).expect(0);
    assert_eq!(ended.stdout, format!("sync-engine {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_for_the_program() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = sync_engine().run(&["completions", shell]).expect(0);
        assert!(ended.stdout.contains("sync-engine") && ended.stdout.contains("no-state"), "{shell}");
    }
}

#[test]
fn mistakes_are_told_in_words() {
    let cases: &[(&str, &[&str])] = &[
        ("missing key", &["sync"]),
        ("publishable key", &["sync", "--stripe-api-key", "pk_test_1"]),
        ("contradiction", &["sync", "--sqlite", "a.db", "--postgres-url", "postgres://u:veryverysecret@h/d"]),
        ("wrong destination", &["check", "--stripe-api-key", KEY, "--destination", "redis"]),
        ("a key without its flag", &["sync", KEY]),
        ("malformed file", &["sync", "--config", "broken.json"]),
        ("unknown key in a file", &["sync", "--config", r#"{"sorce": {}}"#]),
        ("unknown field", &["sync", "--source-config", r#"{"api_key": "sk_test_x", "aip_version": "1"}"#]),
        ("unsupported version", &["sync", "--stripe-api-key", KEY, "--api-version", "2020-08-28"]),
        ("no version", &["sync", "--stripe-api-key", KEY, "--api-version", "latest"]),
        ("bad time", &["sync", "--since", "yesterday"]),
        ("bad limit", &["sync", "--time-limit", "soon"]),
        ("bad level", &["streams", "--log-level", "loud"]),
        ("unknown stream", &["streams", "customers", "--api-version", "2020-08-27"]),
        ("teardown unasked", &["teardown"]),
    ];
    let mut told = String::new();
    for (name, words) in cases {
        let program = sync_engine().file("broken.json", "{\n  \"source\": {\"type\": \"stripe\",}\n}\n");
        let ended = program.run(words).expect(2);
        assert_eq!(ended.stdout, "", "{name}");
        told += &format!("## {name}\n{}\n", settled(&ended.stderr, &program.path("")));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn streams_are_listed_without_a_key() {
    let listed = sync_engine().run(&["streams", "--api-version", "2020-08-27"]).expect(0);
    assert!(listed.stdout.lines().any(|line| line.starts_with("customer  ")), "{}", listed.stdout);
    let columns = sync_engine().run(&["streams", "charge", "plan", "--api-version", "2020-08-27"]).expect(0);
    assert!(columns.stdout.starts_with("charge (key: id, _account_id)\n"), "{}", columns.stdout);
    assert!(columns.stdout.contains("\nplan (key: id, _account_id)\n"), "{}", columns.stdout);
    let json = sync_engine().run(&["streams", "charge", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["name"], "charge");
    assert!(json[0]["columns"].as_array().unwrap().len() > 20);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let program = crate::program::PATH;
    let shell = sync_engine().after(&format!("'{program}' discover --json --stripe-api-key {KEY} --source-config '{{\"account_id\":\"acct_1\"}}' | head -c 10; '{program}' streams | head -1; exit 7"));
    let ended = shell.run(&[]).expect(7);
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.contains("STREAM"), "{}", ended.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_one() {
    let program = crate::program::PATH;
    let ended = sync_engine().after(&format!("'{program}' streams > /dev/full; exit $?")).run(&[]).expect(1);
    assert!(
        ended.stderr.contains("not everything could be written to stdout: No space left"),
        "{}",
        ended.stderr
    );
}
