//! How fast pages are made and served: `cargo run --release -p stripe-simulator --example throughput`.
//!
//! The first figures are one core's work without sockets; the last come from clients on loopback
//! connections in the same process, so both sides share the machine.

use std::io::Write as _;
use std::time::Instant;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::Request;
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, NestedLists, Simulator};

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let catalog = embedded::catalog(embedded::newest_version()).context("no embedded catalog")?;
    let started = Instant::now();
    let tables = ["customer", "charge", "invoice", "subscription", "balance_transaction"];
    let builder = Simulator::builder(catalog).livemode(true).table("price", 100).table("product", 100);
    let simulator = tables.iter().fold(builder, |builder, table| builder.table(table, 1_000_000)).build()?;
    writeln!(out, "five tables of a million objects: {:.1} ms", started.elapsed().as_secs_f64() * 1e3)?;
    for table in tables.iter().filter(|table| **table != "balance_transaction") {
        let (mut objects, mut bytes) = (0u64, 0u64);
        let started = Instant::now();
        simulator.control().dump(table, NestedLists::Cut, |text| {
            objects += 1;
            bytes += text.len() as u64;
        })?;
        let seconds = started.elapsed().as_secs_f64();
        writeln!(
            out,
            "{table}: {:.0} objects/s, {:.0} MB/s, {} bytes each",
            objects as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            bytes / objects
        )?;
    }
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for path in ["/v1/customers?limit=100", "/v1/invoices?limit=100", "/v1/balance_transactions?limit=1"] {
        let pages = 2_000;
        let started = Instant::now();
        single.block_on(async {
            for _ in 0..pages {
                let request = Request::get(path).header("authorization", format!("Bearer {DEFAULT_API_KEY}"));
                simulator.answer(request.body(Body::empty())?).await;
            }
            anyhow::Ok(())
        })?;
        writeln!(
            out,
            "{path}: {:.0} pages/s in process",
            f64::from(pages) / started.elapsed().as_secs_f64()
        )?;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(async {
        let running = simulator.clone().start().await?;
        for path in ["/v1/customers?limit=100", "/v1/balance_transactions?limit=1"] {
            let (clients, pages) = (16, 500);
            let http = reqwest::Client::new();
            let started = Instant::now();
            let work = (0..clients).map(|_| async {
                for _ in 0..pages {
                    let url = format!("{}{path}", running.url());
                    http.get(url).bearer_auth(DEFAULT_API_KEY).send().await?.bytes().await?;
                }
                anyhow::Ok(())
            });
            futures::future::try_join_all(work).await?;
            let rate = f64::from(clients * pages) / started.elapsed().as_secs_f64();
            writeln!(out, "{path}: {rate:.0} pages/s over HTTP, client included")?;
        }
        running.stop().await;
        anyhow::Ok(())
    })
}
