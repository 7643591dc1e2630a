//! A spreadsheet that is written by processes that are killed, and edited by hand in between, equals Stripe in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use stripe_simulator::{Control, NestedLists, Running, Simulator};
use tempfile::TempDir;
use test_utils::sheets::{
    CLIENT_ID, CLIENT_SECRET, Calls, Cell, REFRESH_TOKEN, Sheet, SheetsServer, Spreadsheet,
};

use crate::kill::{has_ended, served};
use crate::process::Sync;

/// What is copied: many rows and few, with and without nested objects.
const STREAMS: [&str; 4] = ["customer", "charge", "invoice", "product"];

/// Slow enough that a kill hits work in progress.
const RATE_LIMIT: u32 = 8;

/// Google's quota is of a minute; nobody waits for one here.
const REQUESTS: usize = 1_000_000;

/// What killed processes and hands did.
#[derive(Debug)]
pub struct Seen {
    /// Kills that hit a running process.
    pub kills: u64,
    /// Times that a tab was sorted, or a row of it deleted or copied, by hand.
    pub edited: u64,
    /// Rows compared at the end.
    pub rows: u64,
}

/// What it took to copy a table within Google's quota: sixty reads and sixty writes in each minute.
#[derive(Debug)]
pub struct Spent {
    /// The table in the spreadsheet.
    pub rows: u64,
    /// Its columns.
    pub columns: usize,
    /// Requests that were made.
    pub calls: Calls,
    /// The fewest that batching allows: one for each 2 MB of cells, as Google recommends, and eight: describing the
    /// spreadsheet and reading its first rows, both once more after tabs were made, making the tabs, naming the columns, making
    /// room, and reading the keys.
    pub least: usize,
}

/// Google recommends at most so many bytes of a request.
/// <https://developers.google.com/workspace/sheets/api/limits>
const RECOMMENDED: usize = 2_000_000;

/// Copies `rows` customers into an empty spreadsheet.
pub async fn spend(rows: u64) -> Result<Spent> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator = Simulator::builder(catalog)
        .table("customer", rows)
        .livemode(true)
        .api_key("sk_live_simulated")
        .start()
        .await?;
    let server = SheetsServer::start().await?;
    let id = server.create("Copy");
    let folder = TempDir::new()?;
    let sync = into(&server, &id, &simulator, None).streams(&["customer"]);
    sync.run(&folder.path().join("words")).await?;
    let calls = server.calls();
    let spreadsheet = server.spreadsheet(&id);
    let rows = compare(&simulator.control(), "customer", &spreadsheet)?;
    simulator.stop().await;
    let columns = spreadsheet.sheet("customer").map_or(0, |sheet| sheet.headers().len());
    Ok(Spent { rows, columns, calls, least: calls.value_bytes.div_ceil(RECOMMENDED) + 8 })
}

/// A sync into a spreadsheet of the server.
fn into(server: &SheetsServer, id: &str, simulator: &Running, rate_limit: Option<u32>) -> Sync {
    let url = server.url();
    Sync::with_flags(simulator, &["--spreadsheet", id], rate_limit)
        .variable("GOOGLE_CLIENT_ID", CLIENT_ID)
        .variable("GOOGLE_CLIENT_SECRET", CLIENT_SECRET)
        .variable("GOOGLE_REFRESH_TOKEN", REFRESH_TOKEN)
        .variable("GOOGLE_SHEETS_BASE_URL", &url)
        .variable("GOOGLE_SHEETS_DRIVE_URL", &url)
        .variable("GOOGLE_SHEETS_TOKEN_URL", &format!("{url}/token"))
}

/// Kills a sync of `objects` objects up to four times at moments drawn from `seed`, edits the tabs after each, and compares
/// every cell when a last one has ended.
pub async fn prove(objects: u64, seed: u64) -> Result<Seen> {
    let mut random = StdRng::seed_from_u64(seed);
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator = Simulator::builder(catalog.clone())
        .seed(seed)
        .objects(objects)
        // A cell would be cut.
        .long_lists(0)
        .livemode(true)
        .api_key("sk_live_simulated")
        .latency(5, 20)
        .start()
        .await?;
    let control = simulator.control();
    let server = SheetsServer::start().await?;
    server.set_quota(Duration::from_secs(60), REQUESTS);
    let id = server.create("Copy");
    let sync = into(&server, &id, &simulator, Some(RATE_LIMIT))
        .streams(&STREAMS)
        .variable("GOOGLE_SHEETS_REQUESTS_PER_MINUTE", &REQUESTS.to_string());
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let mut seen = Seen { kills: 0, edited: 0, rows: 0 };
    let all: usize =
        STREAMS.iter().map(|table| control.ids(table).map(|ids| ids.len())).sum::<Result<_, _>>()?;
    for _ in 0..random.random_range(1..=4) {
        let after = random.random_range(0..all as u64);
        // At once, or when a batch may be written: at the end, or when it is a second old.
        let later = Duration::from_millis(random.random_range(0..600));
        let before = served(&control, &catalog);
        let mut child = sync.start(&words)?;
        let mut ended = false;
        while !ended && served(&control, &catalog) < before + after {
            tokio::time::sleep(Duration::from_millis(2)).await;
            ended = has_ended(&mut child, &words)?;
        }
        tokio::time::sleep(later).await;
        if !ended && !has_ended(&mut child, &words)? {
            child.kill()?;
            child.wait()?;
            seen.kills += 1;
        }
        seen.edited += server.edit(&id, |spreadsheet| edit(spreadsheet, &mut random));
    }
    sync.run(&words).await?;
    let spreadsheet = server.spreadsheet(&id);
    for table in STREAMS {
        seen.rows += compare(&control, table, &spreadsheet)?;
    }
    simulator.stop().await;
    Ok(seen)
}

/// Sorts tabs, deletes rows and copies some, as a user would. Answers how often.
fn edit(spreadsheet: &mut Spreadsheet, random: &mut StdRng) -> u64 {
    let mut edited = 0;
    for table in STREAMS {
        let Some(sheet) = spreadsheet.sheet_mut(table).filter(|sheet| sheet.cells.len() > 3) else {
            continue;
        };
        let rows = sheet.cells.len();
        match random.random_range(0..4) {
            0 => sheet.cells[1..].shuffle(random),
            1 => {
                sheet.cells.remove(random.random_range(1..rows));
            }
            2 => {
                let copied = sheet.cells[random.random_range(1..rows)].clone();
                sheet.cells.insert(1, copied);
                sheet.rows += 1;
            }
            _ => continue,
        }
        edited += 1;
    }
    edited
}

/// Fails where a tab does not hold exactly the objects of its table. Answers how many there are.
fn compare(control: &Control, table: &str, spreadsheet: &Spreadsheet) -> Result<u64> {
    let empty = Sheet::default();
    let sheet = spreadsheet.sheet(table).unwrap_or(&empty);
    let headers = sheet.headers();
    let mut rows: BTreeMap<String, BTreeMap<&str, &Cell>> = BTreeMap::new();
    for cells in sheet.data() {
        let row: BTreeMap<&str, &Cell> = headers.iter().map(String::as_str).zip(cells).collect();
        let id = row.get("id").map(|cell| cell.shown()).unwrap_or_default();
        ensure!(rows.insert(id.clone(), row).is_none(), "{table}: {id} is there twice");
    }
    let mut truth = Vec::new();
    control.dump(table, NestedLists::Full, |text| {
        truth.push(serde_json::from_slice::<Map<String, Value>>(text));
    })?;
    ensure!(truth.len() == rows.len(), "{table}: {} rows for {} objects", rows.len(), truth.len());
    for object in truth {
        let object = object?;
        let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
        let row = rows.get(id).with_context(|| format!("{table}: {id} is missing"))?;
        for (name, value) in &object {
            let cell = row.get(name.as_str()).copied().unwrap_or(&Cell::Empty);
            ensure!(
                says(cell, value),
                "{table}: `{name}` of {id} is {:?}, but should say {value}",
                cell.shown()
            );
        }
    }
    Ok(rows.len() as u64)
}

/// Whether a cell says a value. Objects and lists are JSON.
fn says(cell: &Cell, value: &Value) -> bool {
    match value {
        Value::Null => *cell == Cell::Empty,
        Value::Bool(value) => *cell == Cell::Bool(*value),
        Value::String(text) => cell.shown() == *text,
        Value::Number(number) => cell.shown() == number.to_string(),
        _ => serde_json::from_str::<Value>(&cell.shown()).is_ok_and(|shown| shown == *value),
    }
}
