//! The whole way: from a simulated Stripe through `sync-engine sync` into PostgreSQL.

use anyhow::{Context, Result, ensure};
use e2e::database::Database;
use e2e::process::Sync;
use stripe_openapi::embedded;
use stripe_simulator::Simulator;
use tempfile::TempDir;

use crate::meter::{connect, server};
use crate::report;

/// What is synced.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Objects: half customers and half charges, or a fifth as many invoices.
    #[arg(long, default_value_t = 400_000)]
    objects: u64,
    /// Write the table into bench/README.md.
    #[arg(long)]
    publish: bool,
}

/// Requests per second that the source may make: more than it can.
const NO_LIMIT: u32 = 100_000;

pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut text = String::from(
        "| Objects | objects/s | time | `sync-engine` CPU | its peak resident size |\n|---|---|---|---|---|\n",
    );
    let half = options.objects / 2;
    for tables in [&[("customer", half), ("charge", half)][..], &[("invoice", options.objects / 5)]] {
        text.push_str(&sync(tables).await?);
    }
    report::publish("syncing", &text, options.publish)
}

async fn sync(tables: &[(&str, u64)]) -> Result<String> {
    let catalog = embedded::catalog(embedded::newest_version()).context("no embedded catalog")?;
    let builder = Simulator::builder(catalog)
        .livemode(true)
        .api_key("sk_live_simulated")
        .table("customer", 10_000)
        .table("price", 100)
        .table("product", 100);
    let simulator =
        tables.iter().fold(builder, |builder, (table, count)| builder.table(table, *count)).start().await?;
    let cluster = server();
    let url = cluster.database("bench").await;
    let folder = TempDir::new()?;
    let names: Vec<&str> = tables.iter().map(|(table, _)| *table).collect();
    let run = Sync::new(&simulator, &Database::Postgres(url.clone()), Some(NO_LIMIT)).streams(&names);
    let seen = run.weighed(&folder.path().join("words")).await?;
    simulator.stop().await;
    let client = connect(&url).await?;
    let mut total = 0;
    for (table, count) in tables {
        let rows: i64 = client.query_one(&format!("SELECT count(*) FROM stripe.{table}"), &[]).await?.get(0);
        ensure!(rows as u64 == *count, "{rows} rows of {table} instead of {count}");
        total += count;
    }
    let what: Vec<String> = tables.iter().map(|(table, count)| format!("{count} {table}s")).collect();
    Ok(format!(
        "| {} | {:.0} | {:.1} s | {:.1} s | {:.1} MiB |\n",
        what.join(", "),
        total as f64 / seen.seconds,
        seen.seconds,
        seen.cpu_seconds,
        seen.peak_mib
    ))
}
