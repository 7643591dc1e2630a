//! Requests stay near the floor of one per hundred objects, and the rate limit is used up.

use anyhow::{Context, Result, ensure};
use stripe_simulator::{Distribution, Limits, Simulator};
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;
use crate::{compare, truth};

/// What a backfill of one stream cost.
#[derive(Debug)]
pub struct Economy {
    /// List requests for the stream.
    pub requests: u64,
    /// One per hundred objects.
    pub floor: u64,
    /// Requests over the time from first to last, as a share of the allowed rate.
    pub utilisation: f64,
    /// Requests that were refused with 429.
    pub refused: u64,
}

/// Syncs `objects` customers whose `created` is spread as `distribution` says, at `rate` requests per
/// second against a simulator that allows just these and answers after `latency_ms`.
pub async fn prove(objects: u64, distribution: Distribution, rate: u32, latency_ms: u64) -> Result<Economy> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let limits =
        Limits { endpoint_per_second: Some(rate), global_per_second: Some(rate), ..Limits::default() };
    let simulator = Simulator::builder(catalog.clone())
        .table("customer", objects)
        .distribution(distribution)
        .latency(latency_ms, 0)
        .limits(limits)
        .start()
        .await?;
    let folder = TempDir::new()?;
    let database = Database::Sqlite(folder.path().join("stripe.db"));
    Sync::new(&simulator, &database, Some(rate))
        .streams(&["customer"])
        .run(&folder.path().join("words"))
        .await?;
    let counters = simulator.control().counters();
    let mut truth = truth::rows(&simulator.control(), &catalog)?;
    truth.retain(|table, _| table == "customer");
    compare::equal(&truth, &database.rows(&["customer"]).await?)?;
    simulator.stop().await;

    let requests = counters.requests_to("/v1/customers");
    let seconds = counters.last_request.unwrap_or_default() - counters.first_request.unwrap_or_default();
    ensure!(seconds > 0.0, "no requests were counted");
    Ok(Economy {
        requests,
        floor: objects.div_ceil(100),
        utilisation: counters.requests as f64 / seconds / f64::from(rate),
        refused: counters.with_status(429),
    })
}
