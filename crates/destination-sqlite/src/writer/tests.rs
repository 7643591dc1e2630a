use std::sync::Arc;

use futures::{StreamExt, stream};
use protocol::{
    BatchLimits, ConfiguredCatalog, ConfiguredStream, Message, Payload, RawJson, Record, Stream,
    StreamStatus, Timestamp, write_batches,
};
use tempfile::TempDir;

use super::*;
use crate::registry;

fn thing() -> Stream {
    Stream {
        name: "thing".into(),
        primary_key: vec![vec!["id".to_owned()]],
        newer_than_field: "at".to_owned(),
        json_schema: None,
        metadata: None,
        soft_delete_field: None,
    }
}

fn messages(rows: u64) -> impl Iterator<Item = Message> {
    (1..=rows).flat_map(|at| {
        let data =
            RawJson::from_value(&serde_json::json!({"id": at, "at": at, "note": "x".repeat(1000)})).unwrap();
        let stream = thing().name;
        let state = Message::stream_state(&stream, RawJson::from_value(&at).unwrap());
        let record = Record { stream, data, deleted: false, emitted_at: Timestamp::UNIX_EPOCH };
        [Payload::Record(record).into(), state]
    })
}

/// Writes rows through this database; answers what came back.
async fn write(database: Database, rows: u64) -> Vec<Message> {
    let catalog = ConfiguredCatalog { streams: vec![ConfiguredStream::whole(thing())] };
    let prepared = registry::prepare(&database, &catalog).unwrap();
    let writer = SqliteWriter::new(database, prepared, Some("sync".to_owned()));
    let limits = BatchLimits { rows: 20, ..BatchLimits::default() };
    let input = stream::iter(messages(rows).map(Ok)).boxed();
    write_batches(Arc::new(writer), limits, input).map(Result::unwrap).collect().await
}

fn error(messages: &[Message]) -> Option<&str> {
    messages.iter().find_map(|message| match &message.payload {
        Payload::StreamStatus(status) => match &status.status {
            StreamStatus::Error { error } => Some(error.as_str()),
            _ => None,
        },
        _ => None,
    })
}

fn counts(path: &str) -> (i64, i64) {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT (SELECT count(*) FROM thing), (SELECT CAST(state AS INTEGER) FROM _sync_state)";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn a_full_disk_is_explained_and_the_next_run_goes_on() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db").display().to_string();
    let database = Database::create(&path).unwrap();
    // To SQLite a file that may not have more pages is a disk that is full.
    database.connection().pragma_update(None, "max_page_count", 60).unwrap();
    let back = write(database, 1000).await;
    let text = error(&back).unwrap();
    assert!(
        text.contains("the disk is full") && text.contains("Free some space") && text.contains(&path),
        "{text}"
    );
    let (rows, state) = counts(&path);
    assert!(rows > 0 && rows < 1000 && rows == state, "{rows} rows, state {state}");
    assert!(error(&write(Database::create(&path).unwrap(), 1000).await).is_none());
    assert_eq!(counts(&path), (1000, 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db").display().to_string();
    let database = Database::create(&path).unwrap();
    // Every wait for the lock fails at once, so that it is ours to try again.
    database.connection().busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    let catalog = ConfiguredCatalog { streams: vec![ConfiguredStream::whole(thing())] };
    registry::prepare(&database, &catalog).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = database.transaction(|_| Ok(())).unwrap_err();
    assert!(error.is_busy() && error.to_string().contains("locked by another program"), "{error}");
    let held = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(60));
        other.execute_batch("COMMIT").unwrap();
    });
    database.transaction(|_| Ok(())).unwrap();
    held.join().unwrap();
}
