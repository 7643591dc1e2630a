//! The destination as the engine uses it: messages in, the same messages back once they are durable.

use anyhow::{Result, ensure};
use destination_postgres::{PostgresConfig, PostgresDestination};
use futures::{StreamExt, stream};
use protocol::{ConfiguredCatalog, Destination, Message, Payload, RawJson, Record, Timestamp, WriteRequest};
use serde_json::json;

use super::Row;

/// Objects of a page, after which the source tells its state.
const PAGE: usize = 100;

pub(super) async fn write(config: PostgresConfig, catalog: &ConfiguredCatalog, rows: &[Row]) -> Result<()> {
    let name = catalog.streams[0].stream.name.clone();
    let emitted_at: Timestamp = serde_json::from_value(json!("2026-11-01T00:00:00Z"))?;
    let state = RawJson::parse(r#"{"remaining":[{"gte":1500000000,"lt":1790000000,"cursor":"id_123456"}]}"#)?;
    let sent = rows.len() + rows.len().div_ceil(PAGE);
    let rows = rows.to_vec();
    let last = rows.len();
    let messages = rows.into_iter().enumerate().flat_map(move |(at, row)| {
        let data = RawJson::from_trusted(row.payload);
        let record = Record { stream: name.clone(), data, deleted: row.deleted, emitted_at };
        let ends_page = at % PAGE == PAGE - 1 || at + 1 == last;
        let mark = ends_page.then(|| Message::stream_state(&name, state.clone()));
        [Some(Payload::Record(record).into()), mark].into_iter().flatten()
    });
    let input = stream::iter(messages.map(Ok)).boxed();
    let request = WriteRequest { catalog: catalog.clone(), input, sync_id: Some("bench".to_owned()) };
    let mut back = PostgresDestination.write(config, request);
    let mut seen = 0;
    while let Some(message) = back.next().await {
        let message = message?;
        ensure!(!matches!(message.payload, Payload::StreamStatus(_)), "the stream failed: {message:?}");
        seen += 1;
    }
    ensure!(seen == sent, "{sent} messages were sent, {seen} came back");
    Ok(())
}
