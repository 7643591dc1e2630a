//! Connecting to PostgreSQL, quoting names, and telling what a failure means.
//!
//! This crate knows PostgreSQL and nothing else: no protocol, no stream, no state.

mod address;
mod connection;
mod database;
mod dial;
mod error;
mod login;
mod name;
mod options;
mod query;
mod retry;
pub mod shared_rate;
mod tls;

pub use address::{Address, TlsMode};
pub use connection::{Connection, Transaction};
pub use database::{Database, Session};
pub use dial::Proxy;
pub use error::{FailureKind, PostgresError};
pub use login::AwsDatabase;
pub use name::{MAX_IDENTIFIER_BYTES, quote_identifier, quote_literal, shorten_identifier};
pub use options::{ConnectOptions, TransactionLimits};
pub use query::JsonRows;
pub use retry::retrying;
