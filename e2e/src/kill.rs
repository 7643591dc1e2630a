//! A run that is killed at any moment resumes without a gap, and reads again at most what was in flight.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stripe_simulator::Simulator;
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;
use crate::{compare, truth};

/// Slow enough that a kill hits work in progress.
const RATE_LIMIT: u32 = 400;

/// What a killed and resumed run did.
#[derive(Debug)]
pub struct Kills {
    /// Kills that hit a running process.
    pub kills: u64,
    /// Rows compared at the end.
    pub rows: u64,
    /// Objects that were served more than once.
    pub read_again: u64,
    /// Objects that had been served and were not yet in the database when the process died.
    pub in_flight: u64,
}

/// Kills a sync of `objects` objects up to four times at moments drawn from `seed`, then lets it end.
pub async fn prove(version: &str, objects: u64, seed: u64, database: &Database) -> Result<Kills> {
    let mut random = StdRng::seed_from_u64(seed);
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator =
        Simulator::builder(catalog.clone()).seed(seed).objects(objects).latency(5, 20).start().await?;
    let control = simulator.control();
    let tables: Vec<&str> = catalog.listable().map(|(resource, _)| resource.table.as_str()).collect();
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let sync = Sync::new(&simulator, database, RATE_LIMIT);

    let (mut kills, mut in_flight, mut counted) = (0, 0, 0);
    for _ in 0..random.random_range(1..=4) {
        // After so many objects of this attempt, wherever that is in the work, and a moment later.
        let after = random.random_range(0..objects / 2);
        let served = control.counters().objects;
        let mut child = sync.start(&words)?;
        let ended = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if control.counters().objects >= served + after {
                break None;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        if let Some(status) = ended {
            ensure!(status.success(), "it ended by itself:\n{}", std::fs::read_to_string(&words)?);
            break;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..50))).await;
        child.kill()?;
        child.wait()?;
        kills += 1;
        let stored = database.count(&tables).await?;
        in_flight += (control.counters().objects - counted).saturating_sub(stored);
        // From here on, what is stored counts as served once.
        counted = control.counters().objects - stored;
    }
    sync.run(&words).await?;

    let truth = truth::rows(&control, &catalog)?;
    let rows = compare::equal(&truth, &database.rows(&tables).await?)?;
    let read_again = control.counters().objects.saturating_sub(rows);
    simulator.stop().await;
    Ok(Kills { kills, rows, read_again, in_flight })
}
