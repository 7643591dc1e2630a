//! Files shared with other processes, and processes that die. Each test starts itself again as a
//! child, which `ROLE` tells to do the child's part.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]
#![cfg(unix)]

mod messages;

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use destination_sqlite::{SqliteConfig, SqliteDestination};
use futures::{StreamExt, stream};
use messages::{catalog, check, config, stream_of, upsert, value, write};
use protocol::{Destination, Message, Payload, RawJson, Stream, WriteRequest};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

const ROLE: &str = "DESTINATION_SQLITE_TEST_PATH";

/// The path that the parent gave, if this is a child.
fn role() -> Option<PathBuf> {
    std::env::var_os(ROLE).map(PathBuf::from)
}

/// This test again, as a child that works on `path`.
fn child(program: &Path, test: &str, path: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "the child did not do its part: {told}");
}

fn things() -> Stream {
    stream_of("thing", &json!({"note": {"type": "string"}}))
}

fn row(at: u64, note: &str) -> Message {
    upsert(
        &things(),
        &json!({"id": format!("id_{at}"), "note": note, "_account_id": "acct_1", "_updated_at": at}),
    )
}

/// Rows for ever, after every one its number as the state.
async fn write_for_ever(path: &Path) {
    let input = stream::iter(1..).flat_map(|at: u64| {
        let state = Message::stream_state(&things().name, RawJson::from_value(&at).unwrap());
        stream::iter([Ok(row(at, &"x".repeat(500))), Ok(state)])
    });
    let config = SqliteConfig { batch_size: 50.try_into().unwrap(), ..config(path) };
    let request = WriteRequest {
        catalog: catalog(&[&things()]),
        input: input.boxed(),
        sync_id: Some("sync".to_owned()),
    };
    let mut back = SqliteDestination.write(config, request);
    while let Some(message) = back.next().await {
        assert!(!matches!(message.unwrap().payload, Payload::StreamStatus(_)));
    }
}

/// How many rows there are; 0 while there is no table yet.
fn rows(path: &Path) -> u64 {
    let count = |path: &Path| -> rusqlite::Result<u64> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection
            .query_row("SELECT count(*) FROM thing", [], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    };
    if path.exists() { count(path).unwrap_or(0) } else { 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_the_state_of_its_rows() {
    if let Some(path) = role() {
        return write_for_ever(&path).await;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    for round in 1..=6_u64 {
        let before = rows(&path);
        let mut child =
            child(&this_program(), "a_killed_writer_leaves_the_state_of_its_rows", &path).spawn().unwrap();
        // Every child writes the same rows; the first ones anew, the last ones for the first time.
        while rows(&path) < before + 70 * round {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let state: String =
            value(&path, "SELECT state FROM _sync_state WHERE sync_id = 'sync' AND stream = 'thing'");
        let stored: i64 = value(
            &path,
            &format!(
                "SELECT count(*) FROM thing WHERE _updated_at <= strftime('%FT%T.000Z', {state}, 'unixepoch')"
            ),
        );
        assert_eq!(stored.to_string(), state, "every row up to the state is there");
        assert_eq!(value::<String>(&path, "PRAGMA integrity_check"), "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_one_file() {
    let messages =
        |parity: u64| (1..=600).filter(move |at| at % 2 == parity || at % 3 == 0).map(|at| row(at, "x"));
    let small = |path: &Path| SqliteConfig { batch_size: 10.try_into().unwrap(), ..config(path) };
    if let Some(path) = role() {
        assert!(write(small(&path), &[&things()], messages(1).collect()).await.unwrap().is_empty());
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    let child = child(&this_program(), "two_processes_write_one_file", &path).spawn().unwrap();
    assert!(write(small(&path), &[&things()], messages(0).collect()).await.unwrap().is_empty());
    succeeds(child);
    assert_eq!(value::<i64>(&path, "SELECT count(*) FROM thing"), 600);
    assert_eq!(value::<String>(&path, "PRAGMA integrity_check"), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_is_explained() {
    if let Some(path) = role() {
        let messages = (1..=3000).map(|at| row(at, &"x".repeat(1000))).collect();
        let errors = write(config(&path), &[&things()], messages).await.unwrap();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].contains("operating system failed to write")
                || errors[0].contains("limit on file sizes")
        );
        assert!(errors[0].contains("stripe.db") && errors[0].contains("run again"), "{errors:?}");
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    // Blocks of 512 bytes; without the signal, the write itself fails.
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", limited]).arg(this_program());
    shell.args(["a_file_that_may_not_grow_is_explained", "--exact", "--nocapture"]);
    shell.env(ROLE, &path).stdout(Stdio::piped()).stderr(Stdio::piped());
    succeeds(shell.spawn().unwrap());
    // What was written before is whole, and the next run goes on.
    assert_eq!(value::<String>(&path, "PRAGMA integrity_check"), "ok");
    assert!(write(config(&path), &[&things()], vec![row(1, "x")]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_only_is_explained() {
    const NOBODY: u32 = 65_534;
    if let Some(path) = role() {
        let error = write(config(&path), &[&things()], vec![row(2, "x")]).await.unwrap_err().to_string();
        let status = check(config(&path)).await.message.unwrap();
        let read_only = |text: &str| text.contains("is read-only. Make the file and its directory writable");
        if path.exists() {
            assert!(read_only(&error) && read_only(&status), "{error} {status}");
        } else {
            assert!(error.contains("cannot be opened or created"), "{error}");
            assert!(status.contains("cannot create files in the directory"), "{status}");
        }
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        return;
    }
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    write(config(&path), &[&things()], vec![row(1, "x")]).await.unwrap();
    // Permissions do not bind root, so then the child is someone else, with a program that they can reach.
    let program = directory.path().join("program");
    std::fs::copy(this_program(), &program).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o555)).unwrap();
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    for path in [&path, &directory.path().join("new.db")] {
        let mut child = child(&program, "what_is_read_only_is_explained", path);
        if is_root {
            child.uid(NOBODY).gid(NOBODY);
        }
        succeeds(child.current_dir("/").spawn().unwrap());
    }
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(rows(&path), 1);
}
