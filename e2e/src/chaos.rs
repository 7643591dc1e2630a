//! A live sync of an account that changes, with events that come late, twice, out of order or never, faults of all
//! kinds, and a process that is killed and started again. In the end every table equals Stripe's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stripe_openapi::embedded;
use stripe_simulator::{Control, Fault, FaultRule, NestedLists, Simulator};
use tempfile::TempDir;

use crate::canonical::identify;
use crate::compare;
use crate::database::Database;
use crate::process::Sync;
use crate::truth::Rows;

/// The tables that [`Control::stir`] changes, and those of their children.
pub(crate) const TABLES: [&str; 13] = [
    "customer",
    "product",
    "price",
    "plan",
    "coupon",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
    "tax_id",
    "subscription_item",
    "line_item",
    "customer_balance_transaction",
];

/// How long copy and account may differ after the last change, events being late and requests failing until then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a copy has survived.
#[derive(Debug, Default)]
pub struct Survived {
    /// Changes of the account.
    pub changes: u64,
    /// Kills of the process.
    pub kills: u64,
    /// Rows compared at the end.
    pub rows: u64,
}

/// Lets `seed` decide what happens, and compares in the end. Fails with what differs.
pub async fn survive(seed: u64, database: &Database) -> Result<Survived> {
    let mut random = StdRng::seed_from_u64(seed);
    let catalog = embedded::catalog(embedded::newest_version()).context("no catalog")?;
    let mut builder = Simulator::builder(catalog).seed(seed).latency(1, 15).long_lists(10).unsaid_changes(0);
    for table in ["customer", "product", "price", "coupon", "subscription", "invoice", "charge"] {
        builder = builder.table(table, random.random_range(5..60));
    }
    if random.random_bool(0.5) {
        builder = builder.late_events(0.3, 4);
    }
    if random.random_bool(0.3) {
        let version = ["2020-08-27", "2024-06-20"][random.random_range(0..2)];
        builder = builder.events_version(embedded::catalog(version).context("no catalog")?);
    }
    let simulator = builder.start().await?;
    let control = simulator.control();
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let pace = serde_json::json!({"events_lag": 1, "poll_interval": 1});
    let live = Sync::new(&simulator, database, Some(2_000)).source(&pace).streams(&TABLES).flag("--live");

    let mut survived = Survived::default();
    let mut child = live.start(&words)?;
    for round in 0..random.random_range(3..8_u64) {
        control.clear_faults();
        for fault in faults(&mut random) {
            control.add_fault(fault);
        }
        survived.changes += control.stir(random.random(), random.random_range(3..60))?.len() as u64;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_000))).await;
        if let Some(status) = child.try_wait()? {
            bail!("round {round}: it ended by itself with {status}:\n{}", words_of(&words));
        }
        if random.random_bool(0.5) {
            child.kill()?;
            child.wait()?;
            survived.kills += 1;
            survived.changes += control.stir(random.random(), random.random_range(0..30))?.len() as u64;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            child = live.start(&words)?;
        }
    }
    control.clear_faults();
    let settled = settle(&control, database, PATIENCE).await;
    // Nothing that is still on its way changes what is right.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let after = equal(&control, database).await;
    child.kill()?;
    child.wait()?;
    simulator.stop().await;
    settled.and(after).map(|rows| Survived { rows, ..survived }).with_context(|| {
        format!("seed {seed}, replay with `prove chaos --seed {seed} --seeds 1`\n{}", words_of(&words))
    })
}

/// Faults of a share of all requests.
pub(crate) fn faults(random: &mut StdRng) -> Vec<FaultRule> {
    let kinds = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::RateLimited { reason: "global-rate".to_owned(), retry_after: Some(1) },
        Fault::RateLimited { reason: "endpoint-concurrency".to_owned(), retry_after: None },
        Fault::Reset,
        Fault::Truncated { percent: 50 },
        Fault::Html,
        Fault::WithoutData,
    ];
    let some = kinds.into_iter().filter(|_| random.random_bool(0.3));
    some.map(|fault| FaultRule::sometimes("/v1/*", 0.04, fault)).collect()
}

/// Waits until the copy equals the account, so long at most; then it fails with what differs.
pub(crate) async fn settle(control: &Control, database: &Database, patience: Duration) -> Result<u64> {
    let until = tokio::time::Instant::now() + patience;
    loop {
        let compared = equal(control, database).await;
        if compared.is_ok() || tokio::time::Instant::now() > until {
            return compared;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn equal(control: &Control, database: &Database) -> Result<u64> {
    let mut truth: BTreeMap<String, Rows> = BTreeMap::new();
    for table in TABLES {
        let mut rows = Rows::new();
        let mut failure = None;
        control.dump(table, NestedLists::Full, |text| match identify(text) {
            Ok((id, hash)) => {
                rows.insert(id, hash);
            }
            Err(error) => failure = Some(error),
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        truth.insert(table.to_owned(), rows);
    }
    compare::equal(&truth, &database.rows(&TABLES).await?)
}

fn words_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
