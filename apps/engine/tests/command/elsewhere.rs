//! `sync --engine-url`: the work is done by an engine elsewhere.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use protocol::Payload;

use crate::account::{Account, summarised};
use crate::interrupts::count;
use crate::program::{settled, signal, sync_engine, wait_for};
use crate::server::{Server, nobody, stranger};

const STREAMS: &str = "customer,charge,plan";

#[test]
fn rows_are_copied_there_and_the_next_run_goes_on() {
    let account = Account::start(|account| account);
    let there = sync_engine().variable("SYNC_ENGINE_TOKEN", "veryverysecret");
    let server = Server::start(&there, &[]);
    let here = account.program().variable("SYNC_ENGINE_TOKEN", "veryverysecret");
    let file = there.path("copy.db");
    let words =
        ["sync", "--streams", STREAMS, "--sqlite", file.to_str().unwrap(), "--engine-url", &server.url];
    let ended = here.run(&words).expect(0);
    account.assert_copied_to(&file, &["customer", "charge", "plan"]);
    assert_eq!(summarised(&ended.stdout)["customer"], 350);
    assert!(ended.stderr.contains(&format!(", by the engine at {}.", server.url)), "{}", ended.stderr);
    assert!(ended.stderr.contains("plan: complete, 3 rows"), "progress as ever: {}", ended.stderr);
    assert!(!ended.stdout.contains("sqlite3"), "the file is not here: {}", ended.stdout);
    assert_eq!(std::fs::read_dir(here.path("")).unwrap().count(), 0, "nothing was made here");

    account.with(|running| running.control().reset_counters());
    let again = here.run(&[&words[..], &["--json"]].concat()).expect(0);
    let requests = account.with(|running| running.control().all_counters().requests_to("/v1/charges"));
    assert!(requests <= 2, "it goes on where it was: {requests}");
    let messages = again.messages();
    let Payload::Eof(protocol::Eof::Sync(eof)) = &messages.last().unwrap().payload else {
        panic!("{messages:?}")
    };
    assert!(!eof.has_more);
}

#[test]
fn failures_there_are_failures_here() {
    let account = Account::start(|account| account);
    let server = Server::start(&sync_engine(), &[]);
    let here = account.program().variable("ENGINE_URL", &server.url);
    let unwritable = here.run(&["sync", "--streams", "plan", "--sqlite", "/proc/copy.db"]).expect(2);
    assert!(
        unwritable.stderr.contains(&format!("error: the engine at {}: ", server.url)),
        "{}",
        unwritable.stderr
    );
    assert!(unwritable.stderr.contains("/proc"), "{}", unwritable.stderr);
    let unknown = here.run(&["sync", "--streams", "customers", "--sqlite", "copy.db"]).expect(2);
    assert!(unknown.stderr.contains("no stream `customers` (did you mean"), "{}", unknown.stderr);
    let foreign = here.run(&["sync", "--destination", "redis"]).expect(2);
    assert!(foreign.stderr.contains("redis"), "{}", foreign.stderr);
    let here = here.variable("STRIPE_API_KEY", "sk_test_veryverysecret_but_wrong");
    let wrong = here.run(&["sync", "--streams", "plan", "--sqlite", "copy.db"]).expect(1);
    assert_eq!(wrong.stderr.matches("Invalid API Key").count(), 1, "{}", wrong.stderr);
}

#[test]
fn where_no_engine_is_or_none_that_listens_that_is_told() {
    let token = sync_engine().variable("SYNC_ENGINE_TOKEN", "veryverysecret");
    let server = Server::start(&token, &[]);
    let cases = [
        (nobody(), "cannot be asked", "Is `sync-engine serve` running there"),
        (stranger(), "is no sync engine; it answers 200 OK: <html> Welcome", "is --engine-url"),
        (server.url.clone(), "failed (401)", "Give the token that the engine was started with"),
    ];
    for (url, what, advice) in cases {
        let words = ["sync", "--stripe-api-key", "sk_test_x", "--sqlite", "a.db", "--engine-token", "other"];
        let ended = sync_engine().run(&[&words[..], &["--engine-url", &url]].concat()).expect(1);
        assert!(ended.stderr.contains(what) && ended.stderr.contains(advice), "{}", ended.stderr);
    }
}

#[test]
fn what_only_acts_here_is_refused() {
    let cases: [&[&str]; 8] = [
        &["--stripe-spec", "spec.json", "--sqlite", "a.db"],
        &["--shared-limit-url", "postgres://h/d", "--sqlite", "a.db"],
        &["--share-limit", "--postgres-url", "postgres://h/d"],
        &["--connectors-from-command-map", "{\"source-a\": \"a\"}", "--sqlite", "a.db"],
        &["--connectors-from-npm", "--sqlite", "a.db"],
        &["--no-connectors-from-path", "--sqlite", "a.db"],
        &[],
        &["--destination", "sqlite"],
    ];
    let (mut told, url) = (String::new(), nobody());
    for words in cases {
        let program = sync_engine();
        let words = [&["sync", "--stripe-api-key", "sk_test_x", "--engine-url", &url], words].concat();
        let ended = program.run(&words).expect(2);
        assert_eq!(ended.stdout, "");
        told += &settled(&ended.stderr, &program.path(""));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_signal_ends_the_request_and_the_work() {
    let account = Account::start(|account| account.table("customer", 3000).latency(150, 0));
    let there = sync_engine();
    let mut server = Server::start(&there, &[]);
    let file = there.path("copy.db");
    let here = account.program().variable("STRIPE_RATE_LIMIT", "5");
    let words =
        ["sync", "--streams", "customer", "--sqlite", file.to_str().unwrap(), "--engine-url", &server.url];
    let mut child = here.start(&words);
    while count(&file) < 200 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("Stopping: the engine elsewhere"), "{stderr}");
    wait_for(&mut server.stderr, "SYNC_CLIENT_DISCONNECT");
    let saved = crate::account::rows(&file, "customer").len();
    assert!((200..3000).contains(&saved), "{saved}");
}

/// Waits until the file has so many customers, while the program goes on.
fn wait_for_customers(child: &mut Child, file: &Path, wanted: usize) {
    while count(file) < wanted {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_changes_is_followed_there() {
    let account = Account::start(|account| account);
    let there = sync_engine();
    let mut server = Server::start(&there, &[]);
    let file = there.path("copy.db");
    let here = account.program().variable("STRIPE_EVENTS_LAG", "0").variable("STRIPE_POLL_INTERVAL", "1");
    let words = ["sync", "--live", "--streams", "customer", "--sqlite", file.to_str().unwrap()];
    let mut child = here.start(&[&words[..], &["--engine-url", &server.url]].concat());
    wait_for_customers(&mut child, &file, 350);
    account.with(|running| running.control().create_many("customer", 2)).unwrap();
    wait_for_customers(&mut child, &file, 352);
    signal(&child, "INT");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    wait_for(&mut server.stderr, "SYNC_CLIENT_DISCONNECT");
    account.assert_copied_to(&file, &["customer"]);
}

/// The endpoint is registered by setup there, the secret comes back here, and goes there again with the sync.
#[test]
fn webhooks_arrive_there() {
    let account = Account::start(|account| account);
    let there = sync_engine();
    let server = Server::start(&there, &[]);
    let (file, free) = (there.path("copy.db"), nobody());
    let port = free.rsplit(':').next().unwrap();
    // Events are not read from the log while this lasts.
    let here = account.program().variable("STRIPE_EVENTS_LAG", "0").variable("STRIPE_POLL_INTERVAL", "3600");
    let here = here.variable("STRIPE_WEBHOOK_URL", &free);
    let words = ["sync", "--webhook-port", port, "--streams", "customer", "--sqlite", file.to_str().unwrap()];
    let mut child = here.start(&[&words[..], &["--engine-url", &server.url]].concat());
    wait_for_customers(&mut child, &file, 350);
    account.with(|running| running.control().create_many("customer", 2)).unwrap();
    wait_for_customers(&mut child, &file, 352);
    signal(&child, "INT");
    let ended = child.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(!said.contains("whsec_"), "{said}");
    let endpoints = account.with(|running| running.control().ids("webhook_endpoint")).unwrap();
    assert_eq!(endpoints.len(), 1);
}

#[test]
fn an_engine_that_stops_is_told_of() {
    let cases = [
        ("TERM", "was stopped before the sync had finished", "Interrupted: "),
        ("KILL", "Engine /pipeline_sync: the answer broke off", ""),
    ];
    for (name, because, summary) in cases {
        let account = Account::start(|account| account.table("customer", 3000).latency(150, 0));
        let there = sync_engine();
        let server = Server::start(&there, &[]);
        let file = there.path("copy.db");
        let here = account.program().variable("STRIPE_RATE_LIMIT", "5").variable("ENGINE_URL", &server.url);
        let child = here.start(&["sync", "--streams", "customer", "--sqlite", file.to_str().unwrap()]);
        while count(&file) < 200 {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&server.child, name);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(because), "{stderr}");
        assert!(stdout.starts_with(summary), "{stdout}");
    }
}

#[test]
fn a_copy_is_compared_and_healed_there() {
    let account = Account::start(|account| account);
    let there = sync_engine();
    let server = Server::start(&there, &[]);
    let file = there.path("copy.db");
    let here = account.program().variable("ENGINE_URL", &server.url);
    let run = |command: &str, words: &[&str]| {
        here.run(&[&[command, "--streams", STREAMS, "--sqlite", file.to_str().unwrap()], words].concat())
    };
    run("sync", &[]).expect(0);
    let equal = run("reconcile", &[]).expect(0);
    assert!(equal.stdout.starts_with("Equal: 473 objects compared, "), "{}", equal.stdout);
    assert!(equal.stderr.contains(&format!(", by the engine at {}.", server.url)), "{}", equal.stderr);
    assert!(equal.stderr.contains("customer: 350 objects, equal"), "{}", equal.stderr);

    let id = account.with(|running| running.control().ids("customer")).unwrap()[7].clone();
    let change = format!("UPDATE _raw_customer SET _raw_data = '{{\"id\":\"{id}\"}}' WHERE id = '{id}'");
    rusqlite::Connection::open(&file).unwrap().execute_batch(&change).unwrap();
    let told = run("reconcile", &[]).expect(1);
    assert!(told.stdout.starts_with("Not equal: "), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("customer different: {id}")), "{}", told.stdout);
    let healed = run("reconcile", &["--repair", "--json"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(healed.stdout.lines().last().unwrap()).unwrap();
    let different = report["streams"].as_array().unwrap().iter().map(|stream| &stream["different"]);
    let repaired: Vec<u64> = different.map(|found| found["repaired"].as_u64().unwrap()).collect();
    assert_eq!(repaired.iter().sum::<u64>(), 1, "{report}");
    assert!(report["requests"].as_u64().unwrap() > 0, "{report}");
    run("reconcile", &[]).expect(0);

    let pipeline = serde_json::json!({
        "source": {"type": "stripe", "stripe": {"api_key": crate::program::KEY, "base_url": account.running.url(),
                   "api_version": "2020-08-27"}},
        "destination": {"type": "sqlite", "sqlite": {"path": file}},
        "streams": [{"name": "plan"}],
    });
    let words = ["api", "pipeline", "pipeline-reconcile", "--pipeline", &pipeline.to_string()];
    let ended = here.run(&words).expect(0);
    let last: serde_json::Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["log"]["data"]["reconcile_report"]["equal"], true, "{last}");

    let stopped = run("reconcile", &["--max-requests", "1"]).expect(1);
    assert!(stopped.stdout.contains("The position is kept."), "{}", stopped.stdout);
    here.run(&["reconcile"]).expect(2);
    assert_eq!(std::fs::read_dir(here.path("")).unwrap().count(), 0, "nothing was made here");
}

#[test]
fn a_signal_ends_a_comparison_there() {
    let account = Account::start(|account| account.table("customer", 3000));
    let there = sync_engine();
    let mut server = Server::start(&there, &[]);
    let file = there.path("copy.db");
    let here = account.program().variable("ENGINE_URL", &server.url);
    let words = ["--streams", "customer", "--sqlite", file.to_str().unwrap()];
    here.run(&[&["sync"], &words[..]].concat()).expect(0);
    account.with(|running| running.control().reset_counters());
    let slow = account.program().variable("ENGINE_URL", &server.url).variable("STRIPE_RATE_LIMIT", "2");
    let mut child = slow.start(&[&["reconcile"], &words[..]].concat());
    let asked = || account.with(|running| running.control().all_counters().requests_to("/v1/customers"));
    while asked() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stdout.starts_with("Interrupted: "), "{stdout}");
    assert!(stderr.contains("Stopping: the engine elsewhere"), "{stderr}");
    wait_for(&mut server.stderr, "SYNC_CLIENT_DISCONNECT");
    assert!(asked() < 30, "it went on there");
}
