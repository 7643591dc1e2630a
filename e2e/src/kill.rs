//! A run that is killed at any moment resumes without a gap, and reads again at most what was in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stripe_openapi::Catalog;
use stripe_openapi::knowledge::children::{self, Origin};
use stripe_openapi::knowledge::lists::{self, Remedy};
use stripe_simulator::{Control, Simulator};
use tempfile::TempDir;

use crate::database::{Database, RowKey, StreamPosition, Told};
use crate::process::Sync;
use crate::{compare, truth};

/// Slow enough that a kill hits work in progress.
const RATE_LIMIT: u32 = 400;

/// Objects of a list that are asked for at once; the parents of child rows come by such pages too.
const PAGE: usize = 100;

/// Pages of parents, the lists under which are read at the same time.
const PAGES_OF_PARENTS: usize = 4;

/// Objects that a batch into PostgreSQL may hold (`batch_size`). It is written in parts, each a transaction of its own, and its
/// state comes with the last: all of it may be there without (docs/decisions/0020).
const BATCH_IN_PARTS: usize = 4000;

/// What killed and resumed runs did.
#[derive(Debug)]
pub struct Kills {
    /// Kills that hit a running process.
    pub kills: u64,
    /// Of these, the ones that came after everything was stored, so that the next run was a new one.
    pub too_late: u64,
    /// Rows compared at the end.
    pub rows: u64,
    /// Rows in the database when a process died, over all kills.
    pub durable: u64,
    /// Of these, the rows that the next run read again.
    pub read_again: u64,
    /// Where more of these were of one stream after one kill than may be.
    pub exceeded: Vec<String>,
}

/// Streams to watch, and the most objects of one that are in the database without being accounted for when a process is
/// killed: those of the page that was being written (docs/decisions/0010), or of the batch where that is written in parts. Child rows
/// count by their parents.
fn watched(catalog: &Catalog, in_parts: bool) -> BTreeMap<&str, usize> {
    let mut most = BTreeMap::new();
    for resource in &catalog.resources {
        let table = resource.table.as_str();
        let under = |hidden: &lists::HiddenRows| matches!(hidden.remedy, Remedy::ListUnder(_));
        // Rows of two lists, which have a page under way each.
        if lists::hidden_rows(table, &catalog.api_version).any(under) {
            continue;
        }
        let is_listed_under = children::origins(table).any(|child| matches!(child.origin, Origin::List(_)));
        let pages = if resource.list.is_none() && is_listed_under { PAGES_OF_PARENTS } else { 1 };
        let page = pages * PAGE;
        most.insert(table, if in_parts { page.max(BATCH_IN_PARTS) } else { page });
    }
    most
}

/// The database when a process had ended.
struct Snapshot {
    told: BTreeMap<String, Told>,
    states: BTreeMap<String, StreamPosition>,
}

impl Snapshot {
    async fn of(database: &Database, tables: &[&str]) -> Result<Snapshot> {
        Ok(Snapshot { told: database.told(tables).await?, states: database.states().await? })
    }

    fn rows(&self) -> u64 {
        self.told.values().map(|rows| rows.len() as u64).sum()
    }

    /// Whether nothing was left to read of any of the streams that `last` knows.
    fn is_whole(&self, last: &Snapshot) -> bool {
        let is_finished =
            |stream: &String| self.states.get(stream).is_some_and(|position| position.remaining.is_empty());
        last.states.keys().all(is_finished)
    }

    /// The rows of `stream` that `next` had from Stripe again.
    fn told_again<'s>(&'s self, next: &'s Snapshot, stream: &str) -> Vec<&'s RowKey> {
        let (Some(before), Some(after)) = (self.told.get(stream), next.told.get(stream)) else {
            return Vec::new();
        };
        before
            .iter()
            .filter(|(key, told)| after.get(*key).is_some_and(|later| later > *told))
            .map(|(key, _)| key)
            .collect()
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
    let tables: Vec<&str> = catalog.resources.iter().map(|resource| resource.table.as_str()).collect();
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let sync = Sync::new(&simulator, database, Some(RATE_LIMIT));

    let mut snapshots = Vec::new();
    let mut ended = false;
    for _ in 0..random.random_range(1..=4) {
        // After so many objects of this attempt, wherever that is in the work.
        let after = random.random_range(0..objects / 2);
        // At once, or after the first batches were written because of their age, when the process may have ended.
        let later = if snapshots.is_empty() || random.random_bool(0.5) { 50 } else { 1_500 };
        let later = Duration::from_millis(random.random_range(0..later));
        let served_before = served(&control, &catalog);
        let mut child = sync.start(&words)?;
        while !ended && served(&control, &catalog) < served_before + after {
            tokio::time::sleep(Duration::from_millis(2)).await;
            ended = has_ended(&mut child, &words)?;
        }
        tokio::time::sleep(later).await;
        ended = ended || has_ended(&mut child, &words)?;
        if ended {
            break;
        }
        child.kill()?;
        child.wait()?;
        snapshots.push(Snapshot::of(database, &tables).await?);
        a_second_passes().await;
    }
    if !ended {
        sync.run(&words).await?;
    }
    let kills = snapshots.len() as u64;
    snapshots.push(Snapshot::of(database, &tables).await?);

    let truth = truth::rows(&control, &catalog)?;
    let listable: Vec<&str> = truth.keys().map(String::as_str).collect();
    let rows = compare::equal(&truth, &database.rows(&listable).await?)?;
    simulator.stop().await;
    let mut seen = Kills { kills, too_late: 0, rows, durable: 0, read_again: 0, exceeded: Vec::new() };
    seen.look_at(&snapshots, &watched(&catalog, matches!(database, Database::Postgres(_))));
    Ok(seen)
}

impl Kills {
    fn look_at(&mut self, snapshots: &[Snapshot], watched: &BTreeMap<&str, usize>) {
        let Some(last) = snapshots.last() else { return };
        for (killed, next) in snapshots.iter().zip(&snapshots[1..]) {
            self.durable += killed.rows();
            if killed.is_whole(last) {
                self.too_late += 1;
                continue;
            }
            for (stream, most) in watched {
                let again = killed.told_again(next, stream);
                self.read_again += again.len() as u64;
                let objects: BTreeSet<&String> =
                    again.iter().map(|(id, parent)| parent.as_ref().unwrap_or(id)).collect();
                if objects.len() > *most {
                    self.exceeded.push(format!(
                        "{stream}: {} rows of {} objects were read again, and {most} objects may be",
                        again.len(),
                        objects.len()
                    ));
                }
            }
        }
    }
}

/// Whether the process ended by itself, which it may only do well.
pub(crate) fn has_ended(child: &mut Child, words: &Path) -> Result<bool> {
    let Some(status) = child.try_wait()? else { return Ok(false) };
    ensure!(status.success(), "it ended by itself:\n{}", std::fs::read_to_string(words)?);
    Ok(true)
}

/// Rows tell the second in which Stripe answered, so a row that is read again later than that is known.
async fn a_second_passes() {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let killed = second();
    while second() == killed {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Objects that lists have answered so far.
pub(crate) fn served(control: &Control, catalog: &Catalog) -> u64 {
    let counters = control.counters();
    let lists = catalog.listable();
    lists.filter_map(|(_, list)| counters.endpoints.get(&list.path)).map(|endpoint| endpoint.objects).sum()
}
