//! Streams and messages for the tests, and reading files past the destination.

use std::path::Path;
use std::sync::Arc;

use destination_sqlite::{SqliteConfig, SqliteDestination};
use futures::{StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConfiguredStream, ConnectionStatus, ConnectorError, Destination, Message, Payload,
    RawJson, Record, Stream, StreamStatus, Timestamp, WriteRequest, run_to_end,
};
use rusqlite::Connection;
use rusqlite::types::FromSql;
use serde_json::{Value, json};

pub(crate) fn stream_of(name: &str, properties: &Value) -> Stream {
    Stream {
        name: name.into(),
        primary_key: vec![vec!["id".to_owned()], vec!["_account_id".to_owned()]],
        newer_than_field: "_updated_at".to_owned(),
        json_schema: json!({"type": "object", "properties": properties}).as_object().cloned(),
        metadata: None,
        soft_delete_field: None,
    }
}

pub(crate) fn catalog(streams: &[&Stream]) -> ConfiguredCatalog {
    ConfiguredCatalog {
        streams: streams.iter().map(|stream| ConfiguredStream::whole((*stream).clone())).collect(),
    }
}

pub(crate) fn upsert(stream: &Stream, data: &Value) -> Message {
    record(stream, data, false)
}

pub(crate) fn record(stream: &Stream, data: &Value, deleted: bool) -> Message {
    let data = RawJson::from_value(data).unwrap();
    let stream = Arc::clone(&stream.name);
    Payload::Record(Record { stream, data, deleted, emitted_at: Timestamp::UNIX_EPOCH }).into()
}

pub(crate) fn config(path: &Path) -> SqliteConfig {
    SqliteConfig::new(path.to_str().unwrap())
}

pub(crate) async fn check(config: SqliteConfig) -> ConnectionStatus {
    let mut messages = SqliteDestination.check(config);
    match messages.next().await.unwrap().unwrap().payload {
        Payload::ConnectionStatus(status) => status,
        other => panic!("check says {other:?}"),
    }
}

/// Writes the messages; answers what streams failed of.
pub(crate) async fn write(
    config: SqliteConfig,
    streams: &[&Stream],
    messages: Vec<Message>,
) -> Result<Vec<String>, ConnectorError> {
    let input = stream::iter(messages.into_iter().map(Ok)).boxed();
    let request = WriteRequest { catalog: catalog(streams), input, sync_id: Some("sync".to_owned()) };
    let back = run_to_end(SqliteDestination.write(config, request)).await?;
    let errors = back.into_iter().filter_map(|message| match message.payload {
        Payload::StreamStatus(status) => match status.status {
            StreamStatus::Error { error } => Some(error),
            _ => None,
        },
        _ => None,
    });
    Ok(errors.collect())
}

/// The first value of a query.
pub(crate) fn value<T: FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
