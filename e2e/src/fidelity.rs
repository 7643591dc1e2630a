//! Every table equals Stripe's truth, at any API version.

use anyhow::{Context, Result};
use stripe_simulator::Simulator;
use tempfile::TempDir;

use crate::database::Database;
use crate::process::Sync;
use crate::{compare, truth};

/// Fast enough that the rate is no matter.
const UNLIMITED: u32 = 100_000;

/// What a run compared.
#[derive(Debug)]
pub struct Fidelity {
    /// Streams of the version that have objects.
    pub streams: usize,
    /// Rows that were equal.
    pub rows: u64,
    /// Requests that the simulator served.
    pub requests: u64,
    /// Objects that it served; more than `rows` by those that are in two lists or nobody asked for.
    pub served: u64,
}

/// Syncs `objects` objects, spread over every stream of `version`, into an empty `database`, and
/// compares ids and payloads of all tables with the truth.
pub async fn prove(version: &str, objects: u64, seed: u64, database: &Database) -> Result<Fidelity> {
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator =
        Simulator::builder(catalog.clone()).seed(seed).objects(objects).pretty(true).start().await?;
    let folder = TempDir::new()?;
    Sync::new(&simulator, database, Some(UNLIMITED)).run(&folder.path().join("words")).await?;
    let truth = truth::rows(&simulator.control(), &catalog)?;
    let tables: Vec<&str> = truth.keys().map(String::as_str).collect();
    let rows = compare::equal(&truth, &database.rows(&tables).await?)?;
    let counters = simulator.control().counters();
    simulator.stop().await;
    Ok(Fidelity {
        streams: truth.values().filter(|rows| !rows.is_empty()).count(),
        rows,
        requests: counters.requests,
        served: counters.objects,
    })
}
