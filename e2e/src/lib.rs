//! Tests that cross crates, through the real binaries, and the long runs behind them.
//!
//! Each module proves one thing about a `sync-engine` or `sync-service` process that reads a simulated Stripe. The tests
//! in `tests/` run a short slice of each; `prove` (`src/main.rs`) runs them at full length.

pub mod canonical;
pub mod chaos;
pub mod compare;
pub mod crowd;
pub mod database;
pub mod economy;
pub mod evolve;
pub mod fidelity;
pub mod kill;
pub mod limiter;
pub mod memory;
pub mod process;
pub mod rules;
pub mod service;
pub mod sheets;
pub mod sources;
mod temporal;
pub mod truth;
pub mod webhooks;

pub use sources::{files_ending, files_named, repository, rust_files};
