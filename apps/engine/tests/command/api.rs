//! `sync-engine api`: operations of the HTTP API by their names.

use std::io::BufReader;

use serde_json::{Value, json};

use crate::account::Account;
use crate::program::{KEY, signal, sync_engine, wait_for};
use crate::server::{Server, nobody, stranger};

/// Customers of the account, into this file.
fn pipeline(account: &Account, file: &std::path::Path) -> Value {
    let source = json!({"api_key": KEY, "base_url": account.running.url(), "api_version": "2020-08-27",
                        "rate_limit": 1000});
    json!({
        "source": {"type": "stripe", "stripe": source},
        "destination": {"type": "sqlite", "sqlite": {"path": file}},
        "streams": [{"name": "customer"}],
    })
}

#[test]
fn every_operation_is_a_command() {
    let listed = |group: &str| sync_engine().run(&["api", group, "--help"]).expect(0).stdout;
    let pipelines = listed("pipeline");
    for name in ["check", "setup", "teardown", "read", "write", "sync", "sync-batch"] {
        assert!(pipelines.contains(&format!("  pipeline-{name} ")), "{name}: {pipelines}");
    }
    assert!(pipelines.contains("  source-discover "), "{pipelines}");
    assert!(listed("meta").contains("  meta-sources-get "));
    assert!(listed("internal").contains("  internal-query "));
    let mistaken = sync_engine().run(&["api", "pipeline", "pipeline-snyc"]).expect(2);
    assert!(mistaken.stderr.contains("pipeline-sync"), "{}", mistaken.stderr);
}

#[test]
fn an_operation_runs_in_this_process() {
    let health = sync_engine().run(&["api", "status", "health"]).expect(0);
    assert!(health.stdout.starts_with("{\n  \"ok\": true,"), "{}", health.stdout);
    assert_eq!(health.stderr, "");
    let known = sync_engine().run(&["api", "meta", "meta-destinations-get", "sqlite"]).expect(0);
    let known: Value = serde_json::from_str(&known.stdout).unwrap();
    assert_eq!(known["config_schema"]["properties"]["path"]["type"], "string");
    let unknown = sync_engine().run(&["api", "meta", "meta-sources-get", "nowhere"]).expect(1);
    assert_eq!(unknown.stdout, "");
    assert_eq!(unknown.stderr, "Error 404: {\"error\":\"Unknown source connector: nowhere\"}\n");
    let refused = sync_engine().run(&["api", "--json", "status", "health"]).expect(2);
    assert!(refused.stderr.contains("leave --json out"), "{}", refused.stderr);
}

#[test]
fn bad_json_on_the_command_line_is_bad_usage() {
    let ended = sync_engine().run(&["api", "pipeline", "pipeline-check", "--pipeline", "{bad"]).expect(2);
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("--pipeline: its JSON is not valid: key must be a string at line 1 column 2"),
        "{}",
        ended.stderr
    );
}

#[test]
fn streams_are_lines_and_stdin_is_a_body() {
    let account = Account::start(|account| account);
    let program = account.program();
    let file = program.path("copy.db");
    let body = json!({"pipeline": pipeline(&account, &file)}).to_string();
    let program = program.stdin(&format!("{body}\n"));
    let pipeline = pipeline(&account, &file).to_string();
    program
        .run(&["api", "pipeline", "pipeline-setup", "--only", "destination", "--pipeline", &pipeline])
        .expect(0);
    let read = program.run(&["api", "pipeline", "pipeline-read", "--pipeline", &pipeline]).expect(0);
    let records = read.messages().into_iter();
    let records = records.filter(|message| matches!(message.payload, protocol::Payload::Record(_)));
    assert_eq!(records.count(), 350);
    let words = ["api", "pipeline", "pipeline-sync-batch", "--body", "-"];
    let synced: Value = serde_json::from_str(&program.run(&words).expect(0).stdout).unwrap();
    assert_eq!(synced["status"], "succeeded");
    account.assert_copied_to(&file, &["customer"]);
}

#[test]
fn a_signal_lets_a_sync_say_how_far_it_came() {
    let account = Account::start(|account| account.table("customer", 3000).latency(150, 0));
    let program = sync_engine();
    let mut pipeline = pipeline(&account, &program.path("copy.db"));
    pipeline["source"]["stripe"]["rate_limit"] = json!(5);
    let set_up = ["api", "pipeline", "pipeline-setup", "--only", "destination", "--pipeline"];
    program.run(&[&set_up[..], &[&pipeline.to_string()]].concat()).expect(0);
    let mut child = program.start(&["api", "pipeline", "pipeline-sync", "--pipeline", &pipeline.to_string()]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut stdout, "\"source_state\"");
    signal(&child, "INT");
    wait_for(&mut stdout, "\"type\":\"eof\"");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_operation_runs_elsewhere() {
    let known = sync_engine().variable("SYNC_ENGINE_TOKEN", "veryverysecret");
    let server = Server::start(&known, &[]);
    let listing = ["api", "meta", "meta-sources-list"];
    let listed = known.run(&[&listing[..], &["--engine-url", &server.url]].concat()).expect(0);
    assert!(listed.stdout.contains("\"type\": \"stripe\""), "{}", listed.stdout);
    let by_environment = sync_engine().variable("ENGINE_URL", &server.url);
    let token = ["--engine-token", "veryverysecret"];
    assert_eq!(
        by_environment.run(&[&token[..0], &["api"], &token[..], &listing[1..]].concat()).expect(0).stdout,
        listed.stdout
    );
    for words in [&listing[..], &[&listing[..], &["--engine-token", "other"]].concat()] {
        let denied = by_environment.run(words).expect(1);
        assert!(denied.stderr.starts_with("Error 401: {"), "{}", denied.stderr);
        assert!(denied.stderr.contains("as SYNC_ENGINE_TOKEN in the environment"), "{}", denied.stderr);
    }
    let internal = ["api", "internal", "internal-query", "--url", "postgres://h/d", "--sql", "select 1"];
    let refused = known.run(&[&internal[..], &["--engine-url", &server.url]].concat()).expect(1);
    assert!(refused.stderr.contains("404"), "the server offers no such thing: {}", refused.stderr);
}

#[test]
fn where_no_engine_is_that_is_told() {
    let (nobody, stranger) = (nobody(), stranger());
    for (url, because) in
        [(&nobody, "cannot be asked"), (&stranger, "is no sync engine; it answers 200 OK: <html> Welcome")]
    {
        let ended = sync_engine().run(&["api", "status", "health", "--engine-url", url]).expect(1);
        assert!(ended.stderr.contains(because) && ended.stderr.contains(url), "{}", ended.stderr);
        assert!(ended.stderr.contains("Is `sync-engine serve` running there"), "{}", ended.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_has_enough() {
    let program = crate::program::PATH;
    let shell = sync_engine().after(&format!("'{program}' api meta meta-sources-list | head -1; exit 7"));
    let ended = shell.run(&[]).expect(7);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("{\n", ""));
}
