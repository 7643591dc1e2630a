//! What is written: the simulated Stripe's objects, as the source hands them on.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::{ConfiguredCatalog, ConfiguredStream, Stream};
use serde_json::{Value, json};
use stripe_openapi::{embedded, projection};
use stripe_simulator::{NestedLists, Simulator};

/// When the objects were read first, unix seconds.
const FIRST_READ: i64 = 1_790_000_000;
/// The account that they belong to.
pub(crate) const ACCOUNT: &str = "acct_1";

/// A table of Stripe's, and how many of its objects are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) table: &'static str,
    pub(crate) rows: usize,
}

/// About a second of work each.
pub(crate) const SHAPES: [Shape; 3] = [
    Shape { table: "customer", rows: 30_000 },
    Shape { table: "charge", rows: 15_000 },
    Shape { table: "invoice", rows: 8_000 },
];

/// A reading of all objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The first.
    First,
    /// Nothing changed, but the reading is a later one: rows differ in `_updated_at`.
    Later,
    /// Every object changed.
    Changed,
}

/// Objects and the stream they make up.
pub(crate) struct Objects {
    pub(crate) shape: Shape,
    pub(crate) catalog: ConfiguredCatalog,
    pub(crate) ids: Vec<String>,
    /// As Stripe sends them.
    texts: Vec<Bytes>,
}

impl Objects {
    pub(crate) fn of(shape: Shape) -> Result<Objects> {
        let catalog = embedded::catalog(embedded::newest_version()).context("no embedded catalog")?;
        let resource = catalog.resource(shape.table).context("no such table")?;
        let mut schema = projection::json_schema(resource);
        schema["properties"]["_account_id"] = json!({"type": "string", "enum": [ACCOUNT]});
        let stream: Stream = serde_json::from_value(json!({
            "name": shape.table, "primary_key": [["id"], ["_account_id"]],
            "newer_than_field": "_updated_at", "json_schema": schema,
        }))?;
        let configured = ConfiguredCatalog { streams: vec![ConfiguredStream::whole(stream)] };
        let simulator = Simulator::builder(catalog)
            .livemode(true)
            .table(shape.table, shape.rows as u64)
            .table("customer", shape.rows as u64)
            .table("price", 100)
            .table("product", 100)
            .build()?;
        let mut texts = Vec::with_capacity(shape.rows);
        simulator.control().dump(shape.table, NestedLists::Cut, |text| {
            texts.push(Bytes::copy_from_slice(text));
        })?;
        ensure!(texts.len() == shape.rows, "{} objects of {}", texts.len(), shape.table);
        let id = |text: &Bytes| -> Result<String> {
            let object: Value = serde_json::from_slice(text)?;
            Ok(object["id"].as_str().context("an object without id")?.to_owned())
        };
        let ids = texts.iter().map(id).collect::<Result<_>>()?;
        Ok(Objects { shape, catalog: configured, ids, texts })
    }

    /// The payloads of a reading, with the engine's stamps.
    pub(crate) fn read(&self, reading: Reading) -> Vec<Bytes> {
        let seconds = if reading == Reading::First { FIRST_READ } else { FIRST_READ + 3600 };
        self.texts.iter().map(|text| stamped(text, seconds, reading == Reading::Changed)).collect()
    }

    /// Mean size of a payload in bytes.
    pub(crate) fn mean_bytes(&self) -> usize {
        self.read(Reading::First).iter().map(Bytes::len).sum::<usize>() / self.texts.len()
    }
}

fn stamped(text: &[u8], seconds: i64, changed: bool) -> Bytes {
    let mut row = text[..text.len() - 1].to_vec();
    if changed {
        row.extend_from_slice(br#","changed":true"#);
    }
    row.extend_from_slice(format!(r#","_account_id":"{ACCOUNT}","_updated_at":{seconds}}}"#).as_bytes());
    row.into()
}

/// The seconds in a reading's `_updated_at`.
pub(crate) fn seconds(reading: Reading) -> i64 {
    if reading == Reading::First { FIRST_READ } else { FIRST_READ + 3600 }
}

/// A deletion of an object, as told after all readings.
pub(crate) fn deletion(id: &str) -> Bytes {
    format!(r#"{{"id":"{id}","_account_id":"{ACCOUNT}","_updated_at":{}}}"#, FIRST_READ + 7200).into()
}
