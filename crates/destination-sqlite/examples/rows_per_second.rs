//! Measures how many rows per second are made durable: `cargo run --release -p destination-sqlite
//! --example rows_per_second [rows] [payload bytes] [batch size] [file]`.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use destination_sqlite::{SqliteConfig, SqliteDestination, summary};
use futures::{StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConfiguredStream, Destination, Message, Payload, RawJson, Record, Stream, Timestamp,
    WriteRequest,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, bytes, batch) = (number(1, 200_000)?, number(2, 1024)?, number(3, 1000)?);
    let directory = tempfile::tempdir()?;
    let path =
        arguments.get(4).cloned().unwrap_or_else(|| directory.path().join("rows.db").display().to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for round in ["new rows", "the same rows", "changed rows"] {
        let updated = if round == "changed rows" { 1_700_000_001 } else { 1_700_000_000 };
        let config = SqliteConfig {
            batch_size: NonZeroUsize::new(batch).ok_or("the batch size is 0")?,
            ..SqliteConfig::new(path.clone())
        };
        let began = Instant::now();
        runtime.block_on(write(config, rows, bytes, updated))?;
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{round}: {rows} rows of {bytes} bytes in {seconds:.2} s, {:.0} rows/s",
            rows as f64 / seconds
        );
    }
    println!("{:?}", summary(&path)?);
    Ok(())
}

async fn write(
    config: SqliteConfig,
    rows: usize,
    bytes: usize,
    updated: i64,
) -> Result<(), protocol::ConnectorError> {
    let name: Arc<str> = "customer".into();
    let properties: serde_json::Map<String, serde_json::Value> =
        (0..60).map(|at| (format!("property_{at}"), serde_json::json!({"type": "string"}))).collect();
    let stream = Stream {
        name: Arc::clone(&name),
        primary_key: vec![vec!["id".to_owned()], vec!["_account_id".to_owned()]],
        newer_than_field: "_updated_at".to_owned(),
        json_schema: serde_json::json!({"type": "object", "properties": properties}).as_object().cloned(),
        metadata: None,
        soft_delete_field: None,
    };
    let filler = "x".repeat((bytes / 60).saturating_sub(18).max(1));
    let body: String = (0..60).map(|at| format!(r#""property_{at}":"{filler}","#)).collect();
    let input = stream::iter(0..rows).map(move |at| {
        // Keys in no order, as Stripe's are.
        let id = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let text =
            format!(r#"{{"id":"cus_{id:016x}",{body}"_account_id":"acct_1","_updated_at":{updated}}}"#);
        let data = RawJson::from_trusted(text.into());
        let emitted_at = Timestamp::UNIX_EPOCH;
        Ok(Payload::Record(Record { stream: Arc::clone(&name), data, deleted: false, emitted_at }).into())
    });
    let catalog = ConfiguredCatalog { streams: vec![ConfiguredStream::whole(stream)] };
    let request = WriteRequest { catalog, input: input.boxed(), sync_id: Some("example".to_owned()) };
    let mut messages = SqliteDestination.write(config, request);
    let mut durable = 0;
    while let Some(message) = messages.next().await {
        let message: Message = message?;
        durable += usize::from(matches!(message.payload, Payload::Record(_)));
    }
    if durable == rows { Ok(()) } else { Err(protocol::ConnectorError::internal("rows are missing")) }
}
