//! Connecting to PostgreSQL, quoting names, and telling what a failure means.
//!
//! This crate knows PostgreSQL and nothing else: no protocol, no stream, no state.

mod address;
mod database;
mod error;
mod name;
mod retry;
pub mod shared_rate;
mod tls;

pub use address::{Address, TlsMode};
pub use database::{ConnectOptions, Connection, Database, Transaction};
pub use error::{FailureKind, PostgresError};
pub use name::{MAX_IDENTIFIER_BYTES, quote_identifier, quote_literal, shorten_identifier};
pub use retry::retrying;
