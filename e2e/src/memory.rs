//! Memory depends on the settings, not on how much there is to copy.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
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
    crate::process::binary();
    let started = Instant::now();
    let mut child = Sync::new(&simulator, database, rate_limit).start(&words)?;
    let mut peak_kib = 0;
    let status = loop {
        // The kernel keeps the peak itself; it is gone with the process, so the last look counts.
        if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let seen = line
                .and_then(|line| line.trim().strip_suffix(" kB"))
                .and_then(|n| n.trim().parse::<u64>().ok());
            peak_kib = peak_kib.max(seen.unwrap_or(0));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "sync-engine ended with {status}:\n{}", std::fs::read_to_string(&words)?);
    simulator.stop().await;
    Ok(Weight { objects, peak_mib: peak_kib as f64 / 1024.0, seconds })
}
