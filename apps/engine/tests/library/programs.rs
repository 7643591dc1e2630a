//! Connectors that are programs, and what they do wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::echo::{EchoDestination, EchoSource};
use engine::process::{Programs, Search};
use engine::{Engine, PipelineRead, PipelineSync, Registry, Setup, Side};
use futures::StreamExt;
use protocol::{ConnectorConfig, Payload, PipelineConfig};
use serde_json::{Map, Value, json};

use crate::script::{eof, heard, kinds, record, state};

/// A folder of programs.
struct Place(tempfile::TempDir);

const SPEC: &str = r#"{"type":"spec","spec":{"config":{"type":"object","properties":{}}}}"#;
const CATALOG: &str = r#"{"type":"catalog","catalog":{"streams":[{"name":"a","primary_key":[["id"]],"newer_than_field":"_updated_at"}]}}"#;

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A program whose commands are lines of a shell's `case`.
    fn program(&self, name: &str, commands: &str) -> &Place {
        let text = format!(
            "#!/bin/sh\ncd {}\ncase $1 in\nspec) echo '{SPEC}';;\ndiscover) echo '{CATALOG}';;\n{commands}\n\
             *) echo \"Unknown command $1\" >&2; exit 1;;\nesac\n",
            self.0.path().display()
        );
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn engine(&self) -> Engine {
        let search = Search { folders: vec![self.0.path().to_owned()], ..Search::default() };
        let registry = Registry::new().with_source(EchoSource).with_destination(EchoDestination);
        Engine::new(registry.with_programs(Programs::new(search)))
    }

    /// What reading the program fails with.
    async fn read_fails(&self) -> String {
        let (messages, error) = heard(self.engine().pipeline_read(PipelineRead::new(from_program()))).await;
        assert_eq!(kinds(&messages).last(), Some(&"eof"));
        error.unwrap().to_string()
    }
}

fn from_program() -> PipelineConfig {
    PipelineConfig {
        source: ConnectorConfig::new("odd", Map::new()),
        destination: ConnectorConfig::new("test", Map::new()),
        streams: None,
        transforms: None,
    }
}

fn into_program() -> PipelineConfig {
    let source = json!({"streams": {"a": {}}}).as_object().cloned().unwrap();
    PipelineConfig {
        source: ConnectorConfig::new("test", source),
        destination: ConnectorConfig::new("odd", Map::new()),
        ..from_program()
    }
}

fn pushed(messages: Vec<Value>) -> PipelineSync {
    PipelineSync { input: Some(crate::script::input(messages)), ..PipelineSync::new(into_program()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_with_the_last_words() {
    let place = Place::new();
    let cases = [
        (
            "read) echo one >&2; echo 'sk_test_abc broke' >&2; exit 3;;",
            vec!["source-odd exited with code 3: one\nsk_test_[redacted] broke"],
        ),
        ("read) kill -9 $$;;", vec!["source-odd was killed by signal 9"]),
        (
            "read) echo '{}'; echo oops; sleep 60;;",
            vec!["source-odd: its stdout is not understood: line 1 (at byte 0) is not a message"],
        ),
        ("read) echo gone >&2; exec 1>&-; exit 1;;", vec!["source-odd exited with code 1: gone"]),
    ];
    for (commands, expected) in cases {
        place.program("source-odd", commands);
        let error = place.read_fails().await;
        for expected in expected {
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_asked_is_no_connector() {
    let place = Place::new();
    let error = place.read_fails().await;
    assert_eq!(error, "unknown source connector `odd`; there is test, and no program `source-odd`");
    std::fs::write(place.path("source-odd"), "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(place.path("source-odd"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = place.read_fails().await;
    assert!(error.contains("does not say how it is configured: it cannot be started"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_is_not_in_the_list_of_processes() {
    let place = Place::new();
    place.program("source-odd", "read) tr '\\0' ' ' </proc/$$/cmdline >seen; cat \"$3\" >config; ls -l \"$3\" >mode; echo \"$3\" >path;;");
    let mut pipeline = from_program();
    pipeline.source.config = json!({"api_key": "hidden"}).as_object().cloned().unwrap();
    let (_, error) = heard(place.engine().pipeline_read(PipelineRead::new(pipeline))).await;
    assert!(error.is_none(), "{error:?}");
    let text = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert!(!text("seen").contains("hidden"), "{}", text("seen"));
    assert_eq!(text("config"), r#"{"api_key":"hidden"}"#);
    assert!(text("mode").starts_with("-rw-------"), "{}", text("mode"));
    assert!(!Path::new(text("path").trim()).exists(), "it is gone with the command");
}

/// Whether a process of this number is there, and no zombie.
fn runs(number: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", number.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_listening_ends_the_program_and_its_children() {
    let place = Place::new();
    let said = record("a", "1");
    place.program(
        "source-odd",
        &format!("read) echo '{said}'; sleep 1000 & echo $! >child; echo $$ >own; wait;;"),
    );
    let mut messages = place.engine().pipeline_read(PipelineRead::new(from_program()));
    assert!(matches!(messages.next().await.unwrap().unwrap().payload, Payload::Record(_)));
    let number = |name: &str| std::fs::read_to_string(place.path(name)).unwrap_or_default();
    while number("own").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(runs(&number("own")) && runs(&number("child")));
    drop(messages);
    for _ in 0..500 {
        if !runs(&number("own")) && !runs(&number("child")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it goes on without a listener");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_that_a_program_lacks_is_nothing_to_do() {
    let place = Place::new();
    place.program("source-odd", "read) ;;");
    let setup = |pipeline| Setup { pipeline, side: Side::Both, discovered: None };
    let (_, error) = heard(place.engine().pipeline_setup(setup(from_program()))).await;
    assert!(error.is_none(), "{error:?}");
    place.program("source-odd", "setup) echo no rights >&2; exit 1;;");
    let (_, error) = heard(place.engine().pipeline_setup(setup(from_program()))).await;
    assert!(error.unwrap().to_string().contains("exited with code 1: no rights"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_gets_what_there_is_and_hands_it_back() {
    let place = Place::new();
    place.program("destination-odd", "write) tee got;;");
    let (messages, error) =
        heard(place.engine().pipeline_sync(pushed(vec![record("a", "1"), state("a", 7)]))).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(eof(&messages).ending_state.as_ref().unwrap().source.streams["a"].as_str(), "7");
    let got = std::fs::read_to_string(place.path("got")).unwrap();
    assert_eq!(got.lines().count(), 2, "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_dies_acknowledges_nothing_more() {
    let place = Place::new();
    place.program("destination-odd", "write) head -n 1; echo disk full >&2; exit 4;;");
    let many =
        (0..20_000).map(|number| if number == 10_000 { state("a", 7) } else { record("a", "1") }).collect();
    let (messages, error) = heard(place.engine().pipeline_sync(pushed(many))).await;
    let error = error.unwrap().to_string();
    assert!(error.contains("destination-odd exited with code 4: disk full"), "{error}");
    let eof = eof(&messages);
    assert!(eof.ending_state.as_ref().unwrap().source.streams.is_empty());
    assert_eq!(eof.run_progress.streams["a"].record_count, 1);
}
