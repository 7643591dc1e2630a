//! Writes streams into PostgreSQL.
//!
//! Every stream has a table: the payload as `jsonb`, when it was written and how new it is, and columns for the
//! fields its schema names ([`Projection`]). Rows, deletions and the sync's state become
//! durable in one transaction per batch.

mod check;
mod config;
mod connect;
mod destination;
mod failure;
mod inspect;
mod setup;
mod table;
mod teardown;
mod write;

pub use config::{AwsConfig, DEFAULT_BATCH_SIZE, Packs, PostgresConfig, ProxyConfig};
pub use destination::PostgresDestination;
pub use table::Projection;
