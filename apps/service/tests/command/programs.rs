//! Connectors that are programs, found as flags say.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::sync_service;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/python/source_notes.py");

#[test]
fn programs_are_found_on_the_path_or_by_a_map() {
    let path = std::env::var("PATH").unwrap();
    let program = sync_service();
    let folder = program.path("bin");
    fs::create_dir(&folder).unwrap();
    let linked = folder.join("source-notes");
    fs::copy(TEMPLATE, &linked).unwrap();
    fs::set_permissions(&linked, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.variable("PATH", &format!("{}:{path}", folder.display()));
    let (notes, copy) = (program.path("notes.txt"), program.path("copy.db"));
    fs::write(&notes, "first\nsecond\n").unwrap();
    let source = serde_json::json!({"type": "notes", "notes": {"path": notes}}).to_string();
    let create = |more: &[&str]| {
        let copy = copy.to_str().unwrap();
        let words =
            ["pipelines", "create", "--id", "notes", "--source", &source, "--destination.sqlite.path", copy];
        program.run(&[more, &words].concat())
    };
    let refused = create(&["--no-connectors-from-path"]).expect(2);
    assert!(refused.stderr.contains("no program `source-notes`"), "{}", refused.stderr);
    create(&[]).expect(0);
    let synced = program.run(&["pipelines", "sync", "notes", "--raw"]).expect(0);
    let records = synced.lines().iter().filter(|line| line["type"] == "eof").count();
    assert_eq!(records, 1, "{}", synced.stdout);
    let rows: u32 = rusqlite::Connection::open(&copy)
        .unwrap()
        .query_row("select count(*) from notes", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2);
    let map = format!(r#"{{"source-notes": "python3 {TEMPLATE}"}}"#);
    let mapped =
        ["--no-connectors-from-path", "--connectors-from-command-map", &map, "pipelines", "check", "notes"];
    program.run(&mapped).expect(0);
}
