//! Manual pages, and the log for people.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::program::sync_engine;

#[test]
fn every_command_has_a_manual_page() {
    let program = sync_engine();
    let page = program.run(&["man"]).expect(0).stdout;
    assert!(page.starts_with(".ie") && page.contains(".TH sync-engine 1"), "{page}");
    let page = program.run(&["man", "sync"]).expect(0).stdout;
    assert!(page.contains("\\-\\-live"), "{page}");
    for words in [&["man"][..], &["man", "sync"]] {
        let page = program.run(words).expect(0).stdout;
        let head = page.lines().find(|line| line.starts_with(".TH")).unwrap();
        assert!(head.contains(concat!("\"sync-engine ", env!("CARGO_PKG_VERSION"), "\"")), "{head}");
    }
    let refused = program.run(&["man", "snyc"]).expect(2);
    assert!(
        refused.stderr.contains("there is no command `snyc`; there are sync, reconcile"),
        "{}",
        refused.stderr
    );
}

#[test]
fn messages_are_shown_for_people() {
    let mut pretty = Command::new(env!("CARGO_BIN_EXE_sync-pretty-log"))
        .args(["--level", "info", "--no-progress"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = concat!(
        r#"{"type":"log","log":{"level":"debug","message":"not shown"}}"#,
        "\n",
        r#"{"type":"log","log":{"level":"info","message":"shown"},"_ts":"2026-01-02T03:04:05Z"}"#,
        "\nplain words\n",
    );
    pretty.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = pretty.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "03:04:05 info: shown\nplain words\n");
}
