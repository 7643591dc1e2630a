//! Memory depends on the settings, not on how much there is to copy.

use anyhow::{Context, Result};
use stripe_simulator::Simulator;
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;

/// How a sync weighed.
#[derive(Debug)]
pub struct Weight {
    /// Objects that were copied.
    pub objects: u64,
    /// Peak resident size of the `sync-engine` process, MiB.
    pub peak_mib: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Syncs `objects` objects of a live account, invoices with their line items among them, at `rate_limit` requests
/// per second; `None` is the default limit, 80 a second.
pub async fn weigh(objects: u64, rate_limit: Option<u32>, database: &Database) -> Result<Weight> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator = Simulator::builder(catalog)
        .objects(objects)
        .livemode(true)
        .api_key("sk_live_simulated")
        .start()
        .await?;
    let folder = TempDir::new()?;
    let words = folder.path().join("words");
    let seen = Sync::new(&simulator, database, rate_limit).weighed(&words).await?;
    simulator.stop().await;
    Ok(Weight { objects, peak_mib: seen.peak_mib, seconds: seen.seconds })
}
