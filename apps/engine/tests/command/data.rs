//! What ends up in the destination.

use std::io::BufReader;

use protocol::{Eof, Payload, RunStatus};
use serde_json::json;
use stripe_simulator::{Fault, FaultRule};

use crate::account::{Account, rows, summarised};
use crate::program::{KEY, sync_engine, wait_for};

const TABLES: [&str; 3] = ["customer", "charge", "plan"];

#[test]
fn a_first_command_fills_a_file_and_the_next_reads_what_is_new() {
    let account = Account::start(|account| account);
    let program = account.program();
    let ended = program.run(&["sync"]).expect(0);
    assert!(ended.stderr.contains("No destination was given"), "{}", ended.stderr);
    account.assert_copied_to(&program.path("stripe.db"), &TABLES);
    let told = summarised(&ended.stdout);
    assert_eq!((told["customer"], told["charge"], told["plan"]), (350, 120, 3));

    // `created` counts seconds, and a run reads up to its own second: the next one is another.
    std::thread::sleep(std::time::Duration::from_secs(1));
    account.with(|running| running.control().create_many("charge", 5)).unwrap();
    let again = program.run(&["sync"]).expect(0);
    account.assert_copied_to(&program.path("stripe.db"), &TABLES);
    let told = summarised(&again.stdout);
    assert!(told["charge"] < 120, "only what is new is read: {}", again.stdout);
    assert!(!told.contains_key("customer"), "{}", again.stdout);
}

#[test]
fn without_state_everything_is_read_again() {
    let account = Account::start(|account| account);
    let program = account.program();
    program.run(&["sync", "--streams", "customer"]).expect(0);
    let again = program.run(&["sync", "--streams", "customer", "--no-state"]).expect(0);
    assert_eq!(summarised(&again.stdout)["customer"], 350, "{}", again.stdout);
}

#[test]
fn fields_and_time_ranges_narrow_what_is_copied() {
    let account = Account::start(|account| account);
    let program = account.program();
    let words =
        ["sync", "--streams", "customer:email,plan", "--since", "2025-01-01", "--until", "2026-01-01"];
    program.run(&words).expect(0);
    let file = program.path("stripe.db");
    assert!(rows(&file, "customer").len() < 350 && !rows(&file, "customer").is_empty());
    let connection = rusqlite::Connection::open(&file).unwrap();
    let payload: String =
        connection.query_row("SELECT _raw_data FROM customer LIMIT 1", [], |row| row.get(0)).unwrap();
    let payload: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&payload).unwrap();
    let mut keys: Vec<&str> = payload.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["_account_id", "_updated_at", "email", "id"]);
}

#[test]
fn json_is_all_there_is_on_stdout() {
    let account = Account::start(|account| account);
    let ended = account.program().run(&["sync", "--json"]).expect(0);
    assert_eq!(ended.stderr, "");
    let messages = ended.messages();
    let Payload::Eof(Eof::Sync(eof)) = &messages.last().unwrap().payload else { panic!("no eof at the end") };
    assert_eq!((eof.status, eof.has_more), (RunStatus::Succeeded, false));
    assert!(eof.run_progress.derived.total_record_count >= 473);
    assert!(!messages.iter().any(|message| matches!(message.payload, Payload::Record(_))));
    assert!(messages.iter().any(|message| matches!(message.payload, Payload::Progress(_))));
}

#[test]
fn when_the_reader_goes_away_what_was_read_is_saved() {
    let account = Account::start(|account| account.table("customer", 3000).latency(100, 0));
    let program = account.program().variable("STRIPE_RATE_LIMIT", "10");
    let mut child = program.start(&["sync", "--streams", "customer", "--json"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // The position in the events comes first, before any rows.
    wait_for(&mut stdout, "\"state_type\":\"stream\"");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("stdout was closed; the sync was stopped, and what was read is saved"),
        "{stderr}"
    );
    let saved = rows(&program.path("stripe.db"), "customer").len();
    assert!((1..3000).contains(&saved), "{saved}");
}

#[test]
fn configuration_comes_from_stdin_and_dotenv_too() {
    let account = Account::start(|account| account);
    let config = json!({
        "source": {"type": "stripe", "stripe": {"base_url": account.running.url(), "api_version": "2020-08-27"}},
        "destination": {"type": "sqlite", "sqlite": {"path": "from-config.db"}},
        "streams": [{"name": "plan"}],
    });
    let program = sync_engine().file(".env", &format!("STRIPE_API_KEY={KEY}\n")).stdin(&config.to_string());
    program.run(&["sync", "--config", "-"]).expect(0);
    account.assert_copied_to(&program.path("from-config.db"), &["plan"]);
    let params = r#"{"streams": [{"name": "charge"}], "sync_id": "other"}"#;
    program.run(&["sync", "--config", "-", "--params", params]).expect(0);
    account.assert_copied_to(&program.path("from-config.db"), &["charge"]);
}

#[test]
fn check_setup_and_teardown_tell_what_they_did() {
    let account = Account::start(|account| account);
    let program = account.program();
    let checked = program.run(&["check", "--sqlite", "a.db"]).expect(0);
    assert!(checked.stdout.contains("ok      Stripe (API version 2020-08-27)"), "{}", checked.stdout);
    assert!(checked.stdout.contains("ok      the SQLite file a.db"), "{}", checked.stdout);
    let made = program.run(&["setup", "--sqlite", "a.db", "--streams", "plan,charge"]).expect(0);
    assert_eq!(made.stdout, "2 streams can be written into the SQLite file a.db.\n");
    assert!(rows(&program.path("a.db"), "plan").is_empty());
    let removed = program.run(&["teardown", "--sqlite", "a.db", "--yes"]).expect(0);
    assert_eq!(removed.stdout, "Removed what was made in the SQLite file a.db.\n");
    let connection = rusqlite::Connection::open(program.path("a.db")).unwrap();
    let left: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('plan', '_sync_state')", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn streams_that_cannot_be_read_are_skipped_and_others_fail() {
    let refused = Fault::Refused {
        status: 400,
        message: "Your account is not set up to use Issuing. Please visit the dashboard.".to_owned(),
        code: None,
    };
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/issuing/cards", refused)));
    let program = account.program();
    let ended = program.run(&["sync", "--streams", "customer,issuing_card"]).expect(0);
    assert!(
        ended.stdout.contains("Skipped:\n  issuing_card\n    Issuing is not enabled for this account"),
        "{}",
        ended.stdout
    );

    let broken = Fault::Refused { status: 400, message: "Something is off.".to_owned(), code: None };
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/charges", broken)));
    let program = account.program();
    let ended = program.run(&["sync", "--streams", "customer,charge"]).expect(1);
    assert!(ended.stdout.starts_with("Finished with errors"), "{}", ended.stdout);
    assert!(ended.stdout.contains("Failed:\n  charge\n    Something is off."), "{}", ended.stdout);
    account.assert_copied_to(&program.path("stripe.db"), &["customer"]);
}

#[test]
fn the_demo_fills_a_file_and_can_be_repeated() {
    let program = sync_engine();
    let first = program.run(&["demo", "--objects", "600"]).expect(0);
    assert!(first.stdout.contains("Subscriptions by status:"), "{}", first.stdout);
    let customers = rows(&program.path("stripe-demo.db"), "customer");
    assert!(!customers.is_empty());
    program.run(&["demo", "--objects", "600"]).expect(0);
    assert_eq!(rows(&program.path("stripe-demo.db"), "customer"), customers);
    let other = program.run(&["demo", "--objects", "600", "--seed", "2"]).expect(2);
    assert!(other.stderr.contains("holds another simulated account"), "{}", other.stderr);
    let json = program.run(&["demo", "--objects", "600", "--seed", "2", "--db", "b.db", "--json"]).expect(0);
    assert_eq!(json.stderr, "");
    assert!(matches!(json.messages().last().unwrap().payload, Payload::Eof(_)));
}
