//! The writing process is killed, and the server crashes, at every point of a transaction: no acknowledged state is
//! without its rows, no delete is lost, and in the end the tables are what the changes make of them.
//!
//! `cargo test -p destination-postgres --test kill -- --seeds 200` for a longer run; `--seed 7` replays one.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod script;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use destination_postgres::{PostgresConfig, PostgresDestination};
use futures::{StreamExt, stream};
use protocol::{Destination, Payload, SourceStateMessage, WriteRequest, run_to_end};
use script::{Numbers, Rows, STREAMS, Script, catalog};
use serde_json::json;
use test_utils::postgres::{Cluster, Settings};
use tokio_postgres::NoTls;

/// Where a transaction can be interrupted.
const POINTS: [&str; 8] = [
    "begun",
    "locked",
    "rows deleted",
    "row copied",
    "new rows added",
    "rows written",
    "state written",
    "committed",
];
/// Seeds of an ordinary test run; every point is met by several.
const SEEDS: u64 = 32;

/// How many changes of each stream a state covers.
type States = BTreeMap<String, usize>;

fn config(url: &str, script: &Script) -> PostgresConfig {
    let config = json!({"url": url, "schema": "stripe", "batch_size": script.batch_size, "connections": 3});
    serde_json::from_value(config).unwrap()
}

async fn stored_states(config: PostgresConfig) -> States {
    let store = PostgresDestination.state_store(config, "kill").unwrap().await.unwrap();
    let states = store.load().await.unwrap().map(|state| state.streams).unwrap_or_default();
    states.into_iter().map(|(stream, state)| (stream, state.as_str().parse().unwrap())).collect()
}

/// Writes what is left, and tells each state that comes back.
async fn write(url: &str, seed: u64, mut acknowledged: impl FnMut(&str, usize)) {
    let script = Script::of(seed);
    let states = stored_states(config(url, &script)).await;
    let input = stream::iter(script.messages(&states)).map(Ok).boxed();
    let request = WriteRequest { catalog: catalog(), input, sync_id: Some("kill".to_owned()) };
    let mut back = PostgresDestination.write(config(url, &script), request);
    while let Some(message) = back.next().await {
        match message.unwrap().payload {
            Payload::SourceState(SourceStateMessage::Stream { stream, data }) => {
                acknowledged(&stream, data.as_str().parse().unwrap());
            }
            Payload::Record(_) => {}
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}

/// Does `action` when the point is met for the nth time.
fn at(point: &str, nth: u64, action: impl Fn() + Send + Sync + 'static) {
    let met = AtomicU64::new(0);
    fail::cfg_callback(point, move || {
        if met.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            action();
        }
    })
    .unwrap();
}

/// The process that is killed: by itself, at the point.
async fn child(url: &str, seed: u64, point: &str, nth: u64) {
    at(point, nth, || {
        let own = std::process::id().to_string();
        Command::new("kill").args(["-9", &own]).status().unwrap();
        std::thread::sleep(Duration::from_secs(60));
    });
    let mut out = std::io::stdout();
    write(url, seed, |stream, count| {
        writeln!(out, "{stream} {count}").unwrap();
        out.flush().unwrap();
    })
    .await;
}

async fn tables(url: &str) -> [Rows; 3] {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut tables = [(); 3].map(|()| Rows::new());
    for (table, name) in tables.iter_mut().zip(STREAMS) {
        let rows =
            client.query(&format!("SELECT id, _raw_data::text FROM stripe.{name}"), &[]).await.unwrap();
        for row in rows {
            // As the script writes it: with keys in its order.
            let payload: serde_json::Value = serde_json::from_str(row.get(1)).unwrap();
            let [id, at, padding, updated] = ["id", "at", "padding", "updated"].map(|key| &payload[key]);
            let payload = json!({"id": id, "at": at, "padding": padding, "updated": updated});
            table.insert(row.get(0), payload.to_string());
        }
    }
    tables
}

/// Every key is as it was after the acknowledged changes or some that followed, and the stored states are no older.
async fn verify(url: &str, seed: u64, acknowledged: &States) {
    let script = Script::of(seed);
    let stored = stored_states(config(url, &script)).await;
    let tables = tables(url).await;
    for (stream, name) in STREAMS.iter().enumerate() {
        let said = acknowledged.get(*name).copied().unwrap_or(0);
        let kept = stored.get(*name).copied().unwrap_or(0);
        assert!(kept >= said, "seed {seed}: state {said} of {name} was acknowledged, {kept} is stored");
        let possible: Vec<Rows> =
            (kept..=script.changes.len()).map(|count| script.rows(stream, count)).collect();
        let keys = possible.iter().chain([&tables[stream]]).flat_map(|rows| rows.keys());
        for key in keys {
            let found = tables[stream].get(key);
            assert!(
                possible.iter().any(|rows| rows.get(key) == found),
                "seed {seed}: {name} {key} is not as state {kept} says, nor as it was later"
            );
        }
    }
}

async fn kill_process(url: &str, seed: u64, point: &str, nth: u64) -> bool {
    let this = std::env::current_exe().unwrap();
    let arguments = ["child".to_owned(), url.to_owned(), seed.to_string(), point.to_owned(), nth.to_string()];
    let mut process = Command::new(this).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut acknowledged = States::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The last line may be cut off by the kill.
        if let Some((stream, Ok(count))) = line.split_once(' ').map(|(stream, count)| (stream, count.parse()))
        {
            acknowledged.insert(stream.to_owned(), count);
        }
    }
    let status = process.wait().unwrap();
    verify(url, seed, &acknowledged).await;
    !status.success()
}

async fn crash_server(cluster: &Arc<Cluster>, url: &str, seed: u64, point: &str, nth: u64) -> bool {
    let crashed = Arc::new(AtomicU64::new(0));
    let (server, count) = (Arc::clone(cluster), Arc::clone(&crashed));
    at(point, nth, move || {
        count.fetch_add(1, Ordering::SeqCst);
        server.restart();
    });
    let mut acknowledged = States::new();
    write(url, seed, |stream, count| {
        acknowledged.insert(stream.to_owned(), count);
    })
    .await;
    fail::remove(point);
    verify(url, seed, &acknowledged).await;
    crashed.load(Ordering::SeqCst) > 0
}

/// Interrupts a seed's writing twice, then lets it end.
async fn prove(cluster: &Arc<Cluster>, seed: u64) -> u64 {
    let url = cluster.database(&format!("seed_{seed}")).await;
    let script = Script::of(seed);
    run_to_end(PostgresDestination.setup(config(&url, &script), catalog()).unwrap()).await.unwrap();
    let mut numbers = Numbers(seed ^ 0xDEAD);
    let mut interruptions = 0;
    for round in 0..2 {
        let point = POINTS[((seed / 2 + round) % POINTS.len() as u64) as usize];
        let nth = 1 + numbers.below(4);
        let interrupted = if seed.is_multiple_of(2) {
            kill_process(&url, seed, point, nth).await
        } else {
            crash_server(cluster, &url, seed, point, nth).await
        };
        interruptions += u64::from(interrupted);
    }
    write(&url, seed, |_, _| {}).await;
    let tables = tables(&url).await;
    for (stream, name) in STREAMS.iter().enumerate() {
        let expected = script.rows(stream, script.changes.len());
        assert!(tables[stream] == expected, "seed {seed}: {name} does not end as the changes say");
    }
    interruptions
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let [word, url, seed, point, nth] = &arguments[..]
        && word == "child"
    {
        runtime.block_on(child(url, seed.parse().unwrap(), point, nth.parse().unwrap()));
        return;
    }
    // What the test runner gives to all tests says nothing to this one.
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let seeds = match option("--seed") {
        Some(seed) => seed..seed + 1,
        None => 0..option("--seeds").unwrap_or(SEEDS),
    };
    let cluster = Arc::new(Cluster::start_with(Settings::default()));
    let mut interruptions = 0;
    let count = seeds.end - seeds.start;
    for seed in seeds {
        interruptions += runtime.block_on(prove(&cluster, seed));
    }
    println!("{count} seeds, {interruptions} kills and crashes: no state without its rows, no delete lost");
    assert!(interruptions > 0, "nothing was interrupted");
}
