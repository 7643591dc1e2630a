//! Connectors that are programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use engine::process::Search;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service::guard::Guard;

use crate::served::{Kept, Place, Served, pace};

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/python/source_notes.py");

/// A program like the template, whose configuration has more fields, one of them secret.
fn program(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(TEMPLATE).unwrap();
    let fields = r#""properties": {"path": {"type": "string"}"#;
    let more = r#", "shelf": {"type": "string"}, "pin": {"type": "string", "writeOnly": True}"#;
    let changed = text.replacen(fields, &format!("{fields}{more}"), 1);
    assert_ne!(changed, text);
    let file = folder.join("source_notes.py");
    fs::write(&file, changed).unwrap();
    file
}

async fn served(mut place: Place, program: &Path) -> Served {
    let commands = [("source-notes".to_owned(), format!("python3 {}", program.display()))].into();
    place.programs = Some(Search { commands, ..Search::default() });
    let guard = Guard { any_address: true, ..Guard::default() };
    Served::with(place, Some(pace()), false, guard).await
}

fn rows(file: &Path) -> Vec<String> {
    let database = rusqlite::Connection::open(file).unwrap();
    let mut query =
        database.prepare("select json_extract(_raw_data, '$.text') from notes order by 1").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_a_program_is_carried_on() {
    let place = Place::new(Kept::File).await;
    let program = program(place.folder.path());
    let served = served(place, &program).await;
    let notes = served.folder.path().join("notes.txt");
    fs::write(&notes, "first\nsecond\n").unwrap();
    let config = json!({"path": notes, "shelf": "upper", "pin": "hunter2"});
    let pipeline = json!({"id": "pipe_notes", "source": {"type": "notes", "notes": config},
        "destination": {"type": "sqlite", "sqlite": {"path": served.file("pipe_notes")}}});
    let created = served.post("/pipelines", &pipeline).await;
    // What the program calls secret is shown as such, and nothing else.
    let shown = &created["source"]["notes"];
    assert_eq!((&shown["path"], &shown["shelf"]), (&json!(notes), &json!("upper")));
    assert!(shown["pin"].as_str().unwrap().starts_with("[set sha256:"), "{shown}");
    served.until("pipe_notes", |now| now["status"] == "ready").await;
    assert_eq!(rows(&served.file("pipe_notes")), ["first", "second"]);
    // It goes on where it stopped.
    let mut file = fs::OpenOptions::new().append(true).open(&notes).unwrap();
    file.write_all(b"third\n").unwrap();
    let followed = served.get("/pipelines/pipe_notes").await["last_success_at"].clone();
    served.until("pipe_notes", |_| rows(&served.file("pipe_notes")).len() == 3).await;
    served.until("pipe_notes", |now| now["last_success_at"] != followed).await;
    // There is no endpoint for it.
    let (status, why) = served.ask(Method::POST, "/webhooks/pipe_notes", Some(&json!({}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_gone_shows_nothing_of_its_configuration() {
    let place = Place::new(Kept::File).await;
    let program = program(place.folder.path());
    let known = served(place, &program).await;
    let config = json!({"path": "/dev/null", "shelf": "upper", "pin": 1234, "copies": 3, "loud": true});
    let pipeline = json!({"id": "pipe_notes", "desired_status": "paused",
        "source": {"type": "notes", "notes": config},
        "destination": {"type": "sqlite", "sqlite": {"path": known.file("pipe_notes")}}});
    known.post("/pipelines?skip_check=true", &pipeline).await;
    let store = known.folder.path().join("service.db");
    let place = Place::new(Kept::File).await;
    fs::copy(store, place.folder.path().join("service.db")).unwrap();
    let wal = known.folder.path().join("service.db-wal");
    fs::copy(wal, place.folder.path().join("service.db-wal")).unwrap();

    // Here nobody looks for programs.
    let served = Served::with(place, None, false, Guard { any_address: true, ..Guard::default() }).await;
    let shown = served.get("/pipelines/pipe_notes").await["source"]["notes"].clone();
    for (name, value) in shown.as_object().unwrap() {
        match value {
            Value::Bool(_) => assert_eq!(name, "loud"),
            value => assert!(value.as_str().unwrap().starts_with("[set sha256:"), "{name}: {value}"),
        }
    }
    // Sent back where the program is known again, it means what is stored.
    let back = json!({"source": {"type": "notes", "notes": shown}, "name": "kept"});
    let (status, answer) = known.ask(Method::PATCH, "/pipelines/pipe_notes", Some(&back)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let kept = known.store.get("pipe_notes").await.unwrap().unwrap().pipeline;
    assert_eq!(Value::Object(kept.source.config), config);
    // A new one is refused, in a sentence.
    let (status, answer) = served.ask(Method::POST, "/pipelines?skip_check=true", Some(&pipeline)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer.to_string().contains("notes"), "{answer}");
}
