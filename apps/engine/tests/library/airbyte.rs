//! Sources of Airbyte: one that plays what a test wrote, and a real one from PyPI.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use destination_sqlite::SqliteDestination;
use engine::echo::EchoDestination;
use engine::process::{CommandMap, Programs, Search};
use engine::{Engine, PipelineRead, PipelineSync, Registry, Setup, Side};
use protocol::{ConnectorConfig, Message, Payload, PipelineConfig, StreamRunStatus, SyncState, run_to_end};
use serde_json::{Value, json};

use crate::http::served::Served;
use crate::script::{eof, heard, kinds};

/// Prints the files of its command, and keeps what it was given.
const FAKE: &str = "#!/bin/sh\n\
    cd \"$(dirname \"$0\")\"\n\
    echo \"$@\" >>calls\n\
    [ \"$2\" ] && ls -l \"$3\" >mode && cp \"$3\" config.in\n\
    [ \"$1\" = read ] && cp \"$5\" catalog.in\n\
    [ \"$6\" ] && cp \"$7\" state.in\n\
    [ -f $1.err ] && cat $1.err >&2\n\
    cat $1.out\n\
    [ ! -f $1.code ] || exit $(cat $1.code)\n";

/// A source whose commands say what is in files.
struct Fake(tempfile::TempDir);

impl Fake {
    fn new() -> Fake {
        let fake = Fake(tempfile::tempdir().unwrap());
        fake.file("source-fake", FAKE);
        std::fs::set_permissions(fake.path("source-fake"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let spec = json!({"type": "SPEC", "spec": {"connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["token"],
            "properties": {"token": {"type": "string", "airbyte_secret": true, "order": 0}}}}});
        fake.says("spec", &[json!("some words of a library"), spec]);
        let stream = |name: &str, modes: Value| {
            json!({"name": name, "json_schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
                   "supported_sync_modes": modes, "source_defined_cursor": true, "source_defined_primary_key": [["id"]]})
        };
        let streams = [
            stream("users", json!(["full_refresh", "incremental"])),
            stream("plans", json!(["full_refresh"])),
        ];
        fake.says("discover", &[json!({"type": "CATALOG", "catalog": {"streams": streams}})]);
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// What a command says; a text is a line as it is.
    fn says(&self, command: &str, lines: &[Value]) {
        let line = |line: &Value| line.as_str().map_or_else(|| line.to_string(), str::to_owned) + "\n";
        self.file(&format!("{command}.out"), &lines.iter().map(line).collect::<String>());
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    fn engine(&self) -> Engine {
        engine(Search { folders: vec![self.0.path().to_owned()], any_command: true, ..Search::default() })
    }

    fn pipeline(&self) -> PipelineConfig {
        let program = self.path("source-fake").display().to_string();
        pipeline(&format!("airbyte:{program} "), &json!({"token": "open sesame"}))
    }

    async fn read(&self) -> (Vec<Message>, Option<String>) {
        let (messages, error) = heard(self.engine().pipeline_read(PipelineRead::new(self.pipeline()))).await;
        (messages, error.map(|error| error.to_string()))
    }
}

fn engine(search: Search) -> Engine {
    let registry = Registry::new().with_destination(EchoDestination).with_destination(SqliteDestination);
    Engine::new(registry.with_programs(Programs::new(search)))
}

fn pipeline(source: &str, config: &Value) -> PipelineConfig {
    PipelineConfig {
        source: ConnectorConfig::new(source, config.as_object().cloned().unwrap()),
        destination: ConnectorConfig::new("test", serde_json::Map::new()),
        streams: None,
        transforms: None,
    }
}

fn record(stream: &str, id: i64) -> Value {
    json!({"type": "RECORD", "record": {"stream": stream, "data": {"id": id}, "emitted_at": 1_700_000_000_000_i64}})
}

fn state(stream: &str, data: &Value) -> Value {
    json!({"type": "STATE", "state": {"type": "STREAM", "stream": {
        "stream_descriptor": {"name": stream}, "stream_state": data}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_on_from_the_source_s_own_state() {
    let fake = Fake::new();
    fake.says(
        "read",
        &[record("plans", 1), record("users", 1), state("users", &json!({"at": "b"})), record("users", 2)],
    );
    let engine = fake.engine();
    let (messages, error) = heard(engine.pipeline_sync(PipelineSync::new(fake.pipeline()))).await;
    assert!(error.is_none(), "{error:?}");
    let end = eof(&messages);
    assert_eq!(end.run_progress.streams["users"].record_count, 2);
    assert!(end.run_progress.streams.values().all(|stream| stream.status == StreamRunStatus::Completed));
    let catalog = fake.json("catalog.in");
    let modes: Vec<&Value> =
        catalog["streams"].as_array().unwrap().iter().map(|stream| &stream["sync_mode"]).collect();
    assert_eq!(modes, ["incremental", "full_refresh"]);
    assert_eq!(fake.json("config.in"), json!({"token": "open sesame"}));
    assert!(fake.text("mode").starts_with("-rw-------"), "{}", fake.text("mode"));
    assert!(!fake.path("state.in").exists());

    let request = PipelineSync { state: end.ending_state.clone(), ..PipelineSync::new(fake.pipeline()) };
    heard(engine.pipeline_sync(request)).await;
    let users = json!([{"type": "STREAM", "stream": {"stream_descriptor": {"name": "users"}, "stream_state": {"at": "b"}}}]);
    assert_eq!(fake.json("state.in"), users);
    assert_eq!(fake.text("calls").lines().filter(|line| *line == "spec").count(), 1, "it is asked once");
    for word in fake.text("calls").split_whitespace().filter(|word| word.starts_with('/')) {
        assert!(!Path::new(word).exists(), "{word} is gone with the command");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_state_comes_back_as_it_was() {
    let fake = Fake::new();
    fake.says(
        "read",
        &[record("users", 1), json!({"type": "STATE", "state": {"data": {"users": {"page": 2}}}})],
    );
    let engine = fake.engine();
    let (messages, _) = heard(engine.pipeline_sync(PipelineSync::new(fake.pipeline()))).await;
    let request =
        PipelineSync { state: eof(&messages).ending_state.clone(), ..PipelineSync::new(fake.pipeline()) };
    heard(engine.pipeline_sync(request)).await;
    assert_eq!(fake.json("state.in"), json!({"users": {"page": 2}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_in_the_source_s_words_without_its_secrets() {
    let fake = Fake::new();
    let trace = |error: Value| json!({"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1.5, "error": error}});
    fake.file("read.code", "1");
    fake.file("read.err", "the token was open sesame\n");
    fake.says("read", &[json!("Traceback: open sesame"), record("users", 1)]);
    let (messages, error) = fake.read().await;
    let error = error.unwrap();
    assert!(error.contains("exited with code 1: the token was [redacted]"), "{error}");
    assert!(!format!("{messages:?}").contains("open sesame"), "{messages:?}");
    assert!(kinds(&messages).contains(&"record"), "what came before counts: {messages:?}");

    fake.says("read", &[trace(json!({"message": "the server is gone", "failure_type": "transient_error"}))]);
    let error = fake.read().await.1.unwrap();
    assert!(error.contains("the server is gone"), "{error}");

    fake.file("discover.code", "1");
    fake.says(
        "discover",
        &[trace(json!({"message": "no rights for open sesame", "failure_type": "config_error"}))],
    );
    let error = fake.read().await.1.unwrap();
    assert!(error.contains("no rights for [redacted]"), "{error}");

    fake.file("spec.code", "2");
    fake.file("spec.err", "no module named fake\n");
    let error = fake.read().await.1.unwrap();
    assert!(
        error.contains("does not say how it is configured") && error.contains("no module named fake"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_answers_what_the_source_says() {
    let fake = Fake::new();
    let answer = async |lines: &[Value]| {
        fake.says("check", lines);
        let source = fake.engine().registry().source(&fake.pipeline().source.connector).unwrap();
        run_to_end(source.check(&fake.pipeline().source.config).unwrap())
            .await
            .err()
            .map(|error| error.to_string())
    };
    let status = |status: &str| json!({"type": "CONNECTION_STATUS", "connectionStatus": {"status": status, "message": "open sesame is wrong"}});
    assert_eq!(answer(&[json!("words"), status("SUCCEEDED")]).await, None);
    assert_eq!(answer(&[status("FAILED")]).await.unwrap(), "[redacted] is wrong");
    fake.file("check.code", "1");
    let error = json!({"message": "`token` is wrong", "failure_type": "config_error"});
    let trace = json!({"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1, "error": error}});
    assert_eq!(answer(&[trace]).await.unwrap(), "`token` is wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_server_run_only_what_it_allows() {
    let fake = Fake::new();
    fake.says("read", &[record("users", 7)]);
    let command = format!("airbyte:{}", fake.path("source-fake").display());
    let commands = CommandMap::from([("source-mapped".to_owned(), command.clone())]);
    let search = Search { commands, folders: vec![fake.0.path().to_owned()], ..Search::default() };
    let served = Served::start(engine(search)).await;
    let read = async |kind: &str| {
        let body = json!({"pipeline": {"source": {"type": kind, (kind): {"token": "x"}}, "destination": {"type": "test"}}});
        let answer = served.post("/pipeline_read", &body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for allowed in ["mapped", "airbyte:source-fake"] {
        let (status, text) = read(allowed).await;
        assert!(status == 200 && text.contains(r#""id":7,"_updated_at""#), "{allowed}: {text}");
    }
    for refused in [command.as_str(), "airbyte:sh -c true", "airbyte:sh"] {
        let (status, text) = read(refused).await;
        assert!(status == 400 && text.contains("may not be run here"), "{refused}: {status} {text}");
    }
}

/// Where `scripts/test` puts Airbyte's own source of made-up data.
fn faker() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let program = target.join("airbyte/bin/source-faker");
    assert!(program.exists(), "{} is missing; scripts/test installs it", program.display());
    program.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_source_is_read_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faker.db");
    let engine = engine(Search { any_command: true, ..Search::default() });
    let config =
        json!({"count": 30, "seed": 7, "always_updated": false, "records_per_slice": 10, "parallelism": 1});
    let destination = json!({"path": file}).as_object().cloned().unwrap();
    let pipeline = PipelineConfig {
        destination: ConnectorConfig::new("sqlite", destination),
        ..pipeline(&format!("airbyte:{}", faker()), &config)
    };
    let discovered = std::sync::Arc::new(engine.discover(&pipeline.source).await.unwrap());
    let setup = Setup { pipeline: pipeline.clone(), side: Side::Both, discovered: Some(discovered.clone()) };
    let (_, error) = heard(engine.pipeline_setup(setup)).await;
    assert!(error.is_none(), "{error:?}");
    let sync = async |state: Option<SyncState>| {
        let discovered = Some(discovered.clone());
        let request = PipelineSync { state, discovered, ..PipelineSync::new(pipeline.clone()) };
        let (messages, error) = heard(engine.pipeline_sync(request)).await;
        assert!(error.is_none(), "{error:?}");
        let end = eof(&messages).clone();
        for (name, stream) in &end.run_progress.streams {
            assert_eq!(stream.status, StreamRunStatus::Completed, "{name}: {:?}", stream.message);
        }
        assert!(messages.iter().any(|message| matches!(message.payload, Payload::SourceState(_))));
        end
    };
    let first = sync(None).await;
    assert_eq!(first.run_progress.streams["users"].record_count, 30);
    let copy = rusqlite::Connection::open(&file).unwrap();
    let count = |table: &str| -> i64 {
        copy.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("users"), count("products")), (30, 30));
    let email: String = copy.query_row("SELECT email FROM users WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert!(email.contains('@'), "{email}");
    let second = sync(first.ending_state).await;
    assert_eq!(second.request_progress.streams["users"].record_count, 0, "it has a cursor");
    assert_eq!(count("users"), 30);
}
