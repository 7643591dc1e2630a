//! How fast rows are written, into a server that the example starts itself:
//! `cargo run --release -p destination-postgres --example write_speed [rows]`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use destination_postgres::PostgresDestination;
use futures::{StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConfiguredStream, Destination, Payload, RawJson, Record, Stream, WriteRequest,
    run_to_end,
};
use serde_json::{Map, Value, json};
use test_utils::postgres::{Cluster, Settings};

/// An object of `fields` fields and about `bytes` bytes: texts, numbers, flags, nulls and nested objects.
fn object(fields: usize, bytes: usize) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("id".to_owned(), "id_000000000000".into());
    let filler = bytes.saturating_sub(fields * 28) / (fields / 5).max(1);
    for field in 0..fields {
        let value = match field % 5 {
            0 => json!({"type": "thing", "note": words(filler, field)}),
            1 => json!(field * 1000),
            2 => json!(field % 2 == 0),
            3 => Value::Null,
            _ => json!(format!("value_{field}")),
        };
        object.insert(format!("field_number_{field}"), value);
    }
    object
}

/// Text that compresses about as well as an API's objects do.
fn words(bytes: usize, seed: usize) -> String {
    let mut text = String::new();
    let mut number = seed as u64 + 1;
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(
            ["\"object\": ", "currency ", "2026-11-01 ", "https://pay.example.com/"]
                [(number >> 40) as usize % 4],
        );
        text.push_str(&format!("{:x} ", number >> 44));
    }
    text.truncate(bytes);
    text
}

fn configured(name: &str, sample: &Map<String, Value>) -> ConfiguredStream {
    let mut properties = Map::new();
    for (field, value) in sample {
        let kind = match value {
            Value::Object(_) => "object",
            Value::Number(_) => "integer",
            Value::Bool(_) => "boolean",
            _ => "string",
        };
        properties.insert(field.clone(), json!({"type": kind}));
    }
    properties.insert("_account_id".to_owned(), json!({"type": "string", "enum": ["acct_1"]}));
    let stream: Stream = serde_json::from_value(json!({
        "name": name, "primary_key": [["id"], ["_account_id"]], "newer_than_field": "_updated_at",
        "json_schema": {"properties": properties},
    }))
    .unwrap();
    ConfiguredStream::whole(stream)
}

#[tokio::main]
async fn main() {
    let rows: usize = std::env::args().nth(1).map_or(60_000, |rows| rows.parse().unwrap());
    let cluster = Cluster::start_with(Settings { fsync: true, ..Settings::default() });
    for (name, fields, bytes, streams) in [
        ("customer", 25, 1400, 1),
        ("customers in 3 streams", 25, 1400, 3),
        ("invoice", 60, 7700, 1),
        ("invoices in 3 streams", 60, 7700, 3),
    ] {
        let rows = if bytes > 5000 { rows / 3 } else { rows };
        let sample = object(fields, bytes);
        let text = Value::Object(sample.clone()).to_string();
        let names: Vec<String> = (0..streams).map(|n| format!("{name} {n}")).collect();
        let catalog =
            ConfiguredCatalog { streams: names.iter().map(|name| configured(name, &sample)).collect() };
        let url = cluster.database(name).await.replace(' ', "%20");
        let config = || serde_json::from_value(json!({"url": url, "schema": "stripe"})).unwrap();
        run_to_end(PostgresDestination.setup(config(), catalog.clone()).unwrap()).await.unwrap();
        for (pass, version) in [("new", 1), ("same", 1), ("newer", 2)] {
            let names = names.clone();
            let body = text.clone();
            let input = stream::iter(0..rows).map(move |number| {
                let body = body.replacen("id_000000000000", &format!("id_{number:012}"), 1);
                let end = body.len() - 1;
                let data = format!("{},\"_account_id\":\"acct_1\",\"_updated_at\":{version}}}", &body[..end]);
                let record = Record {
                    stream: names[number % names.len()].as_str().into(),
                    data: RawJson::from_trusted(data.into()),
                    deleted: false,
                    emitted_at: serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap(),
                };
                Ok(Payload::Record(record).into())
            });
            let request = WriteRequest { catalog: catalog.clone(), input: input.boxed(), sync_id: None };
            let started = Instant::now();
            let mut back = PostgresDestination.write(config(), request);
            let mut count = 0;
            while let Some(message) = back.next().await {
                assert!(matches!(message.unwrap().payload, Payload::Record(_)));
                count += 1;
            }
            assert_eq!(count, rows);
            let rate = rows as f64 / started.elapsed().as_secs_f64();
            println!("{name:24} {:5} bytes  {pass:6} {rate:8.0} rows/s", text.len());
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}
