//! Our connectors as programs: piped by hand, and run by the engine.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod conformance;
mod sheets;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use engine::process::{CommandMap, Programs, Search};
use engine::{Engine, PipelineSync, Registry, Setup, Side};
use futures::StreamExt;
use protocol::{ConnectorConfig, Eof, Message, Payload, PipelineConfig, RunStatus, SyncState};
use serde_json::{Value, json};
use stripe_simulator::{DEFAULT_API_KEY, Running, Simulator};

const SOURCE: &str = env!("CARGO_BIN_EXE_source-stripe");
const SQLITE: &str = env!("CARGO_BIN_EXE_destination-sqlite");
const POSTGRES: &str = env!("CARGO_BIN_EXE_destination-postgres");
const SHEETS: &str = env!("CARGO_BIN_EXE_destination-google-sheets");

async fn account() -> Running {
    let catalog = stripe_openapi::embedded::catalog("2020-08-27").unwrap();
    Simulator::builder(catalog).table("customer", 350).table("charge", 120).start().await.unwrap()
}

fn source_config(account: &Running) -> Value {
    json!({
        "api_key": DEFAULT_API_KEY, "api_version": "2020-08-27", "base_url": account.url(),
        "rate_limit": 100_000, "endpoint_rate_limit": 100_000,
    })
}

fn run(program: &str, words: &[&str]) -> Output {
    Command::new(program).args(words).stdin(Stdio::null()).output().unwrap()
}

fn messages(output: &Output) -> Vec<Message> {
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn ids(file: &Path, table: &str) -> Vec<String> {
    let file = rusqlite::Connection::open(file).unwrap();
    let mut select = file.prepare(&format!("SELECT id FROM \"{table}\" ORDER BY id")).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn assert_copied(account: &Running, file: &Path) {
    for table in ["customer", "charge"] {
        let mut wanted = account.control().ids(table).unwrap();
        wanted.sort();
        assert_eq!(ids(file, table), wanted, "{table}");
    }
}

/// The streams of the account that have objects, as `discover` tells them.
fn catalog(config: &str) -> Value {
    let told = run(SOURCE, &["discover", "--config", config]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let streams = messages(&told).into_iter().find_map(|message| match message.payload {
        Payload::Catalog(catalog) => Some(catalog.streams),
        _ => None,
    });
    let wanted =
        streams.unwrap().into_iter().filter(|stream| ["customer", "charge"].contains(&&*stream.name));
    let configured = wanted.map(protocol::ConfiguredStream::whole).collect::<Vec<_>>();
    json!({"streams": configured})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_piped_into_a_destination() {
    let account = account().await;
    let folder = tempfile::tempdir().unwrap();
    let config = source_config(&account).to_string();
    let file = folder.path().join("copy.db");
    std::fs::write(folder.path().join("source.json"), &config).unwrap();
    std::fs::write(folder.path().join("destination.json"), json!({"path": file}).to_string()).unwrap();
    std::fs::write(folder.path().join("catalog.json"), catalog(&config).to_string()).unwrap();
    let words = format!(
        "{SQLITE} setup --config destination.json --catalog catalog.json >setup.log && \
         {SOURCE} read --config source.json --catalog=catalog.json </dev/null | \
         {SQLITE} write --config destination.json --catalog catalog.json"
    );
    let mut shell = Command::new("bash");
    let piped = shell.args(["-o", "pipefail", "-c", &words]).current_dir(folder.path()).output().unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    assert_copied(&account, &file);
    let handed_back = messages(&piped);
    let records = handed_back.iter().filter(|message| matches!(message.payload, Payload::Record(_))).count();
    assert_eq!(records, 470, "records are handed back");
    assert!(handed_back.iter().any(|message| matches!(message.payload, Payload::SourceState(_))));
    account.stop().await;
}

fn engine() -> Engine {
    let commands = [
        ("source-stripe", SOURCE),
        ("destination-sqlite", SQLITE),
        ("destination-postgres", POSTGRES),
        ("destination-google-sheets", SHEETS),
    ];
    let commands = CommandMap::from(commands.map(|(name, path)| (name.to_owned(), path.to_owned())));
    Engine::new(Registry::new().with_programs(Programs::new(Search { commands, ..Search::default() })))
}

async fn sync(
    engine: &Engine,
    pipeline: &PipelineConfig,
    state: Option<SyncState>,
) -> (Vec<Message>, protocol::EofPayload) {
    let setup = Setup { pipeline: pipeline.clone(), side: Side::Both, discovered: None };
    let mut prepared = engine.pipeline_setup(setup);
    while let Some(message) = prepared.next().await {
        message.unwrap();
    }
    let request = PipelineSync { state, ..PipelineSync::new(pipeline.clone()) };
    let messages: Vec<Message> = engine.pipeline_sync(request).map(Result::unwrap).collect().await;
    let eof = match &messages.last().unwrap().payload {
        Payload::Eof(Eof::Sync(eof)) => (**eof).clone(),
        other => panic!("{other:?}"),
    };
    (messages, eof)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_syncs_through_programs_and_goes_on() {
    let account = account().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    let object = |value: Value| value.as_object().cloned().unwrap();
    let selection = |name: &str| serde_json::from_value(json!({"name": name})).unwrap();
    let pipeline = PipelineConfig {
        source: ConnectorConfig::new("stripe", object(source_config(&account))),
        destination: ConnectorConfig::new("sqlite", object(json!({"path": file}))),
        streams: Some(vec![selection("customer"), selection("charge")]),
        transforms: None,
    };
    let engine = engine();
    let (_, eof) = sync(&engine, &pipeline, None).await;
    assert_eq!(eof.status, RunStatus::Succeeded);
    assert_eq!(eof.run_progress.streams["customer"].record_count, 350);
    assert_copied(&account, &file);

    account.control().create_many("customer", 5).unwrap();
    let (_, eof) = sync(&engine, &pipeline, eof.ending_state).await;
    assert!(eof.run_progress.streams["customer"].record_count < 100, "it goes on from the state");
    account.stop().await;
}

#[test]
fn programs_say_what_is_wrong_on_stderr_alone() {
    let said = |program: &str, words: &[&str]| {
        let output = run(program, words);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said(SOURCE, &[]), "No command specified.\n");
    assert_eq!(said(SOURCE, &["write"]), "Unknown command write\n");
    assert_eq!(said(SQLITE, &["write", "--config", "{}"]), "Missing required argument: --catalog\n");
    let text = said(SOURCE, &["check", "--config", r#"{"api_key": 5}"#]);
    assert!(text.contains("the configuration of source `stripe` is wrong: `api_key`: "), "{text}");
    assert!(said(POSTGRES, &["check", "--config", "no/such.json"]).contains("no/such.json cannot be read"));
}

#[test]
fn a_failed_check_is_an_answer() {
    let config =
        json!({"api_key": "sk_test_x", "api_version": "2020-08-27", "base_url": "http://127.0.0.1:1"});
    let output = run(SOURCE, &["check", "--config", &config.to_string()]);
    assert!(output.status.success());
    let failed = messages(&output).into_iter().any(|message| {
        matches!(message.payload,
        Payload::ConnectionStatus(status) if status.status == protocol::ConnectionState::Failed)
    });
    assert!(failed, "{}", String::from_utf8_lossy(&output.stdout));
    assert!(run(SOURCE, &["--help"]).status.success() && run(SOURCE, &["--version"]).status.success());
}
