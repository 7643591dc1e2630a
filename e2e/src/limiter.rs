//! The rate limit is used up, hardly ever exceeded, and shared: with other clients and between processes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stripe_simulator::{Counters, Limits, Running, Simulator};
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;

/// Lists that together can use up a limit over all lists, each within its own, and whose objects hold no lists
/// that would have to be completed.
pub const BUSY: [&str; 8] =
    ["charge", "customer", "dispute", "payment_intent", "payout", "product", "refund", "setup_intent"];

/// Seconds that are not counted: an empty bucket lets more through, and little is known yet.
const BEGINNING: u64 = 5;

/// Requests of some seconds.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Requests per second that were answered.
    pub rate: f64,
    /// Share of the requests that were refused with 429.
    pub refused: f64,
}

fn stretch(counters: &Counters, from: u64, to: u64) -> Stretch {
    let seen = counters.between(from, to);
    let (requests, refused) = (seen.requests as f64, seen.limited as f64);
    Stretch { rate: (requests - refused) / (to - from) as f64, refused: refused / requests.max(1.0) }
}

/// How the limit was used.
#[derive(Debug)]
pub struct Used {
    /// Alone.
    pub alone: Stretch,
    /// While somebody else used half of the limit, without the first seconds of it.
    pub beside: Stretch,
    /// After that, without the seconds in which it has to be noticed.
    pub after: Stretch,
    /// From the beginning, without its first seconds, to the end.
    pub all: Stretch,
}

async fn account(objects: u64, latency_ms: u64) -> Result<Running> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let mut builder = Simulator::builder(catalog)
        .livemode(true)
        .api_key("sk_live_simulated")
        .latency(latency_ms, latency_ms / 4)
        .limits(Limits { retry_after: Some(1), ..Limits::live() });
    for table in BUSY {
        builder = builder.table(table, objects / BUSY.len() as u64);
    }
    Ok(builder.start().await?)
}

/// Reads for three times `phase` seconds at exactly the limits that Stripe has in live mode; in the second of
/// them, somebody else uses half of these limits.
pub async fn prove(phase: u64, latency_ms: u64) -> Result<Used> {
    let simulator = account(phase * 3 * 100 * 110, latency_ms).await?;
    let folder = TempDir::new()?;
    let database = Database::Sqlite(folder.path().join("stripe.db"));
    // The last fifth of the time is left to the destination.
    let limit = (phase * 3 + 5) * 5 / 4;
    // One field of each object: it is the requests that count here, not the rows.
    let streams = BUSY.map(|table| format!("{table}:id"));
    let streams = streams.each_ref().map(String::as_str);
    let sync = Sync::at(&simulator, &database, 100, 25)
        .streams(&streams)
        .argument("--time-limit", &limit.to_string());
    let words = folder.path().join("words");
    crate::process::binary();
    let mut child = sync.start(&words)?;
    let control = simulator.control();
    while control.counters().first_request.is_none() {
        ensure!(child.try_wait()?.is_none(), "no request came:\n{}", std::fs::read_to_string(&words)?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(phase)).await;
    control.take_share(0.5);
    tokio::time::sleep(Duration::from_secs(phase)).await;
    control.take_share(0.0);
    finish(child, &words).await?;
    let counters = control.counters();
    simulator.stop().await;
    let settled = phase * 2 / 5;
    Ok(Used {
        alone: stretch(&counters, BEGINNING, phase - 1),
        beside: stretch(&counters, phase + settled.min(5), phase * 2 - 1),
        after: stretch(&counters, phase * 2 + settled, phase * 3 - 1),
        all: stretch(&counters, BEGINNING, phase * 3 - 1),
    })
}

/// What two processes made of one limit.
#[derive(Debug)]
pub struct Shared {
    /// Rows that each wrote.
    pub rows: [u64; 2],
    /// Requests of both while both were at work, without the first seconds.
    pub both: Stretch,
    /// The busiest second, in requests.
    pub busiest: u64,
}

/// Two processes read the same account at four fifths of its limit, which they share through a PostgreSQL
/// database at `url`.
pub async fn share(objects: u64, latency_ms: u64, url: &str) -> Result<Shared> {
    let simulator = account(objects, latency_ms).await?;
    let folder = TempDir::new()?;
    crate::process::binary();
    let names = ["one", "two"];
    let databases = names.map(|name| Database::Sqlite(folder.path().join(format!("{name}.db"))));
    let mut children = Vec::new();
    for (name, database) in names.iter().zip(&databases) {
        let words = folder.path().join(name);
        let sync = Sync::new(&simulator, database, None).streams(&BUSY).argument("--shared-limit-url", url);
        children.push((sync.start(&words)?, words));
    }
    let control = simulator.control();
    let mut both_until = None;
    for (child, words) in children {
        finish(child, &words).await?;
        both_until.get_or_insert_with(|| control.counters().last_request.unwrap_or_default());
    }
    let counters = control.counters();
    simulator.stop().await;
    let mut rows = [0; 2];
    for (rows, database) in rows.iter_mut().zip(&databases) {
        *rows = database.rows(&BUSY).await?.values().map(|rows| rows.len() as u64).sum();
    }
    let first = counters.first_request.context("no requests were counted")?.ceil();
    let until = (both_until.unwrap_or_default() - first) as u64;
    ensure!(until > BEGINNING, "the processes were done before there was anything to measure");
    let busiest = counters.seconds.values().map(|second| second.requests).max().unwrap_or(0);
    Ok(Shared { rows, both: stretch(&counters, BEGINNING, until), busiest })
}

/// What a backfill took.
#[derive(Debug)]
pub struct Backfill {
    /// Requests that were made.
    pub requests: u64,
    /// From the first to the last of them.
    pub seconds: f64,
    /// What these requests take at the limits, overall and of the busiest list.
    pub ideal: f64,
    /// Share of requests that were refused.
    pub refused: f64,
    /// Requests per second in each tenth of the time.
    pub tenths: Vec<f64>,
    /// The lists that were asked last, with the number of their requests and how long before the end the last was.
    pub last: Vec<(String, u64, f64)>,
}

/// Reads `objects` objects of an account that allows `rate` requests per second, and a quarter of that of each
/// list. No list within an object is so long that it has to be completed: how many of these requests there are is a
/// matter of the account, not of the plan.
pub async fn backfill(objects: u64, latency_ms: u64, rate: u32) -> Result<Backfill> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let of_each = (rate / 4).max(1);
    let limits = Limits {
        global_per_second: Some(rate),
        endpoint_per_second: Some(of_each),
        retry_after: Some(1),
        ..Limits::default()
    };
    let simulator = Simulator::builder(catalog.clone())
        .livemode(true)
        .api_key("sk_live_simulated")
        .objects(objects)
        .long_lists(0)
        .latency(latency_ms, latency_ms / 4)
        .limits(limits)
        .start()
        .await?;
    let folder = TempDir::new()?;
    let database = Database::Sqlite(folder.path().join("stripe.db"));
    let streams: Vec<&str> = catalog.listable().map(|(resource, _)| resource.table.as_str()).collect();
    let sync = Sync::at(&simulator, &database, rate, of_each).streams(&streams);
    sync.run(&folder.path().join("words")).await?;
    let counters = simulator.control().counters();
    simulator.stop().await;
    let busiest = counters.endpoints.values().map(|endpoint| endpoint.requests).max().unwrap_or(0);
    let by_all = counters.requests as f64 / f64::from(rate);
    let by_one = busiest as f64 / f64::from(of_each);
    let seconds = counters.last_request.unwrap_or_default() - counters.first_request.unwrap_or_default();
    let tenth = (seconds / 10.0).max(1.0);
    let of_tenth = |part: u32| {
        let (from, to) = ((f64::from(part) * tenth) as u64, (f64::from(part + 1) * tenth) as u64);
        counters.between(from, to).requests as f64 / (to - from).max(1) as f64
    };
    let before_end = |at: Option<f64>| counters.last_request.unwrap_or_default() - at.unwrap_or_default();
    let mut last: Vec<(String, u64, f64)> = counters
        .endpoints
        .iter()
        .map(|(name, own)| (name.clone(), own.requests, before_end(own.last_request)))
        .collect();
    last.sort_by(|(_, _, a), (_, _, b)| a.total_cmp(b));
    last.truncate(5);
    Ok(Backfill {
        requests: counters.requests,
        seconds,
        last,
        tenths: (0..10).map(of_tenth).collect(),
        ideal: by_all.max(by_one),
        refused: counters.with_status(429) as f64 / counters.requests.max(1) as f64,
    })
}

/// Waits for a process, and fails with its words if it failed.
async fn finish(mut child: std::process::Child, words: &Path) -> Result<()> {
    let status = tokio::task::spawn_blocking(move || child.wait()).await??;
    ensure!(status.success(), "sync-engine ended with {status}:\n{}", std::fs::read_to_string(words)?);
    Ok(())
}
