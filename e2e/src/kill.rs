//! A run that is killed at any moment resumes without a gap, and reads again at most what was in flight.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stripe_openapi::Catalog;
use stripe_simulator::{Control, Simulator};
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;
use crate::{compare, truth};

/// Slow enough that a kill hits work in progress.
const RATE_LIMIT: u32 = 400;

/// Every process asks for the account before it reads, so accounts are left out where objects are counted.
const UNCOUNTED: &str = "account";

/// What a killed and resumed run did.
#[derive(Debug)]
pub struct Kills {
    /// Kills that hit a running process.
    pub kills: u64,
    /// Rows compared at the end.
    pub rows: u64,
    /// Objects that were served again, over all processes.
    pub read_again: u64,
    /// Objects in lists that can only be read as a whole.
    pub whole: u64,
    /// Objects that had been served and were not yet in the database when the process died.
    pub in_flight: u64,
}

impl Kills {
    /// What may be read again at most. What was in flight. Of each kill one page of a hundred: pages come one after the
    /// other, so of one at most a part is durable without the state behind it. And where a kill came after the last
    /// page, the next run is a new one, which reads lists without a `created` filter as a whole.
    pub fn may_be_read_again(&self) -> u64 {
        self.in_flight + self.kills * (100 + self.whole)
    }
}

/// Kills a sync of `objects` objects up to four times at moments drawn from `seed`, then lets it end.
pub async fn prove(version: &str, objects: u64, seed: u64, database: &Database) -> Result<Kills> {
    let mut random = StdRng::seed_from_u64(seed);
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator = Simulator::builder(catalog.clone())
        .seed(seed)
        .objects(objects)
        // Without test clocks, of which every process asks too.
        .livemode(true)
        .api_key("sk_live_simulated")
        .latency(5, 20)
        .start()
        .await?;
    let control = simulator.control();
    let tables: Vec<&str> = catalog.listable().map(|(resource, _)| resource.table.as_str()).collect();
    let counted: Vec<&str> = tables.iter().copied().filter(|table| *table != UNCOUNTED).collect();
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let sync = Sync::new(&simulator, database, Some(RATE_LIMIT));

    // `settled`: what was served in vain so far, so that the rest is what is stored or in flight.
    let (mut kills, mut in_flight, mut settled) = (0, 0, 0);
    for _ in 0..random.random_range(1..=4) {
        // After so many objects of this attempt, wherever that is in the work, and a moment later.
        let after = random.random_range(0..objects / 2);
        let served_before = served(&control, &catalog);
        let mut child = sync.start(&words)?;
        let ended = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if served(&control, &catalog) >= served_before + after {
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
        let stored = database.count(&counted).await?;
        in_flight += (served(&control, &catalog) - settled).saturating_sub(stored);
        settled = served(&control, &catalog) - stored;
    }
    sync.run(&words).await?;

    let truth = truth::rows(&control, &catalog)?;
    let rows = compare::equal(&truth, &database.rows(&tables).await?)?;
    let expected: usize =
        counted.iter().filter_map(|table| truth.get(*table)).map(std::collections::BTreeMap::len).sum();
    let read_again = served(&control, &catalog).saturating_sub(expected as u64);
    let unfiltered = catalog.listable().filter(|(_, list)| !list.filters_created());
    let whole =
        unfiltered.filter_map(|(resource, _)| truth.get(&resource.table)).map(|rows| rows.len() as u64).sum();
    simulator.stop().await;
    Ok(Kills { kills, rows, read_again, whole, in_flight })
}

/// Objects that lists have answered so far.
fn served(control: &Control, catalog: &Catalog) -> u64 {
    let counters = control.counters();
    let lists = catalog.listable().filter(|(resource, _)| resource.table != UNCOUNTED);
    lists.filter_map(|(_, list)| counters.endpoints.get(&list.path)).map(|endpoint| endpoint.objects).sum()
}
