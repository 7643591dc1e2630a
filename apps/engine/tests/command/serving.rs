//! `sync-engine serve` as a process.

use std::io::BufRead;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::account::Account;
use crate::program::{KEY, signal, sync_engine, wait_for};
use crate::server::{Server, client};

fn said(account: &Account, request: RequestBuilder) -> Vec<Value> {
    let text = account.block_on(async { request.send().await.unwrap().text().await.unwrap() });
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn pipeline(account: &Account, destination: &Value) -> Value {
    let source = json!({"api_key": KEY, "base_url": account.running.url(), "api_version": "2020-08-27",
                        "rate_limit": 1000});
    json!({
        "source": {"type": "stripe", "stripe": source},
        "destination": destination,
        "streams": [{"name": "customer"}, {"name": "charge"}, {"name": "plan"}],
    })
}

#[test]
fn stripe_is_copied_into_sqlite_in_small_requests() {
    let account = Account::start(|account| account);
    let program = account.program();
    let server = Server::start(&program, &[]);
    let file = program.path("copy.db");
    let pipeline = pipeline(&account, &json!({"type": "sqlite", "sqlite": {"path": file}}));
    let set_up = said(&account, server.post("/pipeline_setup", &json!({"pipeline": pipeline})));
    assert!(set_up.iter().all(|message| message["type"] != "connection_status"), "{set_up:?}");
    let mut state = Value::Null;
    for _ in 0..50 {
        let mut body = json!({"pipeline": pipeline, "run_id": "r1", "state_limit": 2});
        if !state.is_null() {
            body["state"] = state;
        }
        let request = server.post("/pipeline_sync_batch", &body);
        let eof: Value = account.block_on(async { request.send().await.unwrap().json().await.unwrap() });
        state = eof["ending_state"].clone();
        if eof["has_more"] == false {
            assert_eq!(eof["status"], "succeeded");
            account.assert_copied_to(&file, &["customer", "charge", "plan"]);
            return;
        }
    }
    panic!("it did not end");
}

#[test]
fn stripe_is_copied_into_postgres() {
    let account = Account::start(|account| account);
    let url = account.block_on(test_utils::postgres::shared_database());
    let server = Server::start(&account.program(), &["--enable-internal-query"]);
    let destination = json!({"type": "postgres", "postgres": {"url": url, "schema": "over_http"}});
    let body = json!({"pipeline": pipeline(&account, &destination), "run_id": "r1"});
    said(&account, server.post("/pipeline_setup", &body));
    let synced = said(&account, server.post("/pipeline_sync", &body));
    assert_eq!(synced.last().unwrap()["eof"]["status"], "succeeded", "{:?}", synced.last());
    assert!(synced.iter().all(|message| message["type"] != "record"));
    let sql = r#"select count(*)::int as rows from over_http."customer""#;
    let query = server.post("/internal/query", &json!({"url": url, "sql": sql}));
    assert_eq!(said(&account, query)[0]["rows"], json!([{"rows": 350}]));
    assert!(!synced.iter().any(|message| message.to_string().contains("veryverysecret")));
    said(&account, server.post("/pipeline_teardown", &body));
}

#[test]
fn a_client_that_goes_away_stops_the_requests_to_stripe() {
    let account = Account::start(|account| account.table("customer", 20_000).latency(200, 0));
    let program = account.program().variable("LOG_LEVEL", "trace");
    let mut server = Server::start(&program, &[]);
    let destination = json!({"type": "sqlite", "sqlite": {"path": program.path("copy.db")}});
    let mut pipeline = pipeline(&account, &destination);
    pipeline["source"]["stripe"]["rate_limit"] = json!(5);
    pipeline["streams"] = json!([{"name": "customer"}]);
    let request = server.post("/pipeline_read", &json!({"pipeline": pipeline}));
    let mut response = account.block_on(async { request.send().await.unwrap() });
    account.block_on(async {
        let mut read = String::new();
        while !read.contains(r#""type":"record""#) {
            read += &String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap());
        }
    });
    drop(response);
    wait_for(&mut server.stderr, "SYNC_CLIENT_DISCONNECT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let settled = account.with(|running| running.control().counters().requests);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let later = account.with(|running| running.control().counters().requests);
    assert!(later - settled <= 2, "{settled} requests, then {later}");
}

#[test]
fn a_long_sync_says_in_the_log_that_it_goes_on() {
    let account = Account::start(|account| account.table("customer", 20_000).latency(200, 0));
    let program = account.program();
    let mut server = Server::start(&program, &[]);
    let destination = json!({"type": "sqlite", "sqlite": {"path": program.path("copy.db")}});
    let mut pipeline = pipeline(&account, &destination);
    pipeline["source"]["stripe"]["rate_limit"] = json!(5);
    let request = server.post("/pipeline_sync", &json!({"pipeline": pipeline}));
    // Nobody reads the answer meanwhile.
    let response = account.block_on(async { request.send().await.unwrap() });
    wait_for(&mut server.stderr, "pipeline_sync heartbeat");
    wait_for(&mut server.stderr, "pipeline_sync heartbeat");
    drop(response);
}

#[test]
fn other_machines_want_a_token() {
    let ended = sync_engine().run(&["serve", "--port", "0", "--host", "0.0.0.0"]).expect(2);
    assert!(ended.stderr.contains("SYNC_ENGINE_TOKEN"), "{}", ended.stderr);
    let program = sync_engine().variable("SYNC_ENGINE_TOKEN", "veryverysecret");
    let server = Server::start(&program, &["--host", "0.0.0.0"]);
    let url = server.url.replace("0.0.0.0", "127.0.0.1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asked = |request: RequestBuilder| runtime.block_on(async { request.send().await.unwrap().status() });
    assert_eq!(asked(client().get(format!("{url}/meta/sources"))), 401);
    assert_eq!(asked(client().get(format!("{url}/meta/sources")).bearer_auth("veryverysecret")), 200);
    assert_eq!(asked(client().get(format!("{url}/health"))), 200);
}

#[test]
fn its_log_is_json_where_nobody_looks_on() {
    for (words, json) in [(&[][..], true), (&["--plain"][..], false)] {
        let mut server = Server::start(&sync_engine(), words);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { client().get(format!("{}/health", server.url)).send().await.unwrap() });
        let mut line = String::new();
        server.stderr.read_line(&mut line).unwrap();
        let entry = serde_json::from_str::<Value>(&line);
        assert_eq!(entry.is_ok(), json, "{line}");
        if let Ok(entry) = entry {
            assert_eq!((&entry["message"], &entry["status"]), (&json!("request end"), &json!(200)));
            assert!(entry["time"].as_str().unwrap().ends_with('Z'), "{line}");
        }
    }
}

#[test]
fn a_signal_ends_it_well() {
    let mut server = Server::start(&sync_engine(), &[]);
    signal(&server.child, "TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn mistakes_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = sync_engine().run(&["serve", "--port", &port]).expect(1);
    assert!(ended.stderr.contains("is in use; choose another with --port"), "{}", ended.stderr);
    let ended = sync_engine().variable("PORT", "many").run(&["serve"]).expect(2);
    assert!(ended.stderr.contains("PORT must be a port"), "{}", ended.stderr);
    let ended = sync_engine().run(&["serve", "--host", "no such host"]).expect(2);
    assert!(ended.stderr.contains("--host"), "{}", ended.stderr);
}
