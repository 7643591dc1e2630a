//! How fast rows are written: `cargo run --release -p bench -- --help`.

mod meter;
mod methods;
mod objects;
mod paths;
mod plot;
mod report;
mod syncing;
mod writing;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures, on this machine, with servers of its own.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Rows into PostgreSQL: the destination, upstream's statements, and `COPY` as the floor.
    Write(writing::Options),
    /// The whole way: a simulated Stripe, `sync-engine sync`, PostgreSQL, on the same machine.
    Sync(syncing::Options),
    /// The same data within one process, between programs, and over HTTP.
    Paths(paths::Options),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().what {
        What::Write(options) => writing::run(&options).await,
        What::Sync(options) => syncing::run(&options).await,
        What::Paths(options) => paths::run(&options).await,
    }
}
