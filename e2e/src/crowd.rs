//! Many pipelines of one account, carried on by one process or by several: they use up the account's limit, and share it fairly.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use stripe_simulator::Simulator;
use tempfile::TempDir;

use crate::limiter::BUSY;
use crate::service::{Kept, Service};

/// What many pipelines made of one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// Requests a second of all together.
    pub rate: f64,
    /// Share of the requests that were refused with 429.
    pub refused: f64,
    /// Rows that a pipeline copied: the least, the mean and the most of them.
    pub rows: [f64; 3],
}

/// Lets `pipelines` copy the same account for `seconds`, at `limit` requests a second for all together. None comes to its end.
/// They are `kept` in a store over which there are so many `processes`.
pub async fn prove(
    pipelines: usize,
    limit: u32,
    seconds: u64,
    kept: &Kept,
    processes: usize,
) -> Result<Crowd> {
    let catalog = stripe_openapi::embedded::catalog(stripe_openapi::embedded::newest_version())
        .context("no catalog")?;
    // More than any of them reads, should it have half of the limit for itself.
    let objects = u64::from(limit) * seconds * 100 / 2;
    let mut builder = Simulator::builder(catalog).latency(100, 25);
    for table in BUSY {
        builder = builder.table(table, objects / BUSY.len() as u64);
    }
    let simulator = builder.start().await?;
    let folder = TempDir::new()?;
    let mut services =
        (0..processes).map(|_| Service::new(folder.path(), kept)).collect::<Result<Vec<_>>>()?;
    for service in &mut services {
        service.start()?;
        service.answers().await?;
    }
    let first = services.first().context("no process")?;
    let source = json!({
        "api_key": simulator.api_key(), "base_url": simulator.url(), "api_version": simulator.api_version(),
        "rate_limit": limit, "endpoint_rate_limit": limit,
    });
    // One field of each object: it is the requests that count here, not the rows.
    let streams: Vec<_> = BUSY.iter().map(|name| json!({"name": name, "fields": ["id"]})).collect();
    let copy = |number: usize| folder.path().join(format!("{number}.db"));
    for number in 0..pipelines {
        let pipeline = json!({
            "id": format!("pipe_{number}"), "streams": streams, "source": {"type": "stripe", "stripe": source},
            "destination": {"type": "sqlite", "sqlite": {"path": copy(number)}},
        });
        first.create("?skip_check=true", &pipeline).await?;
    }
    // The first of them began while others were created.
    let control = simulator.control();
    control.reset_counters();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let seen = control.counters().between(0, seconds - 1);
    for service in &mut services {
        service.kill()?;
    }
    simulator.stop().await;
    let rows: Vec<f64> =
        (0..pipelines).map(|number| Ok(copied(&copy(number))? as f64)).collect::<Result<_>>()?;
    Ok(Crowd {
        rate: seen.passed() as f64 / (seconds - 1) as f64,
        refused: seen.limited_share(),
        rows: [
            rows.iter().copied().fold(f64::INFINITY, f64::min),
            rows.iter().sum::<f64>() / rows.len() as f64,
            rows.iter().copied().fold(0.0, f64::max),
        ],
    })
}

/// The rows of a copy; one that was never begun has none.
fn copied(path: &Path) -> Result<i64> {
    let connection = rusqlite::Connection::open(path)?;
    let mut rows = 0;
    for table in BUSY {
        let known = "select count(*) from sqlite_schema where type in ('table', 'view') and name = ?1";
        if connection.query_row(known, [table], |row| row.get::<_, i64>(0))? > 0 {
            rows += connection
                .query_row(&format!("select count(*) from \"{table}\""), [], |row| row.get::<_, i64>(0))?;
        }
    }
    Ok(rows)
}
