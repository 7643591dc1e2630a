//! How fast rows are written: `cargo run --release -p bench -- --help`.

mod meter;
mod methods;
mod objects;
mod plot;
mod report;
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
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().what {
        What::Write(options) => writing::run(&options).await,
    }
}
