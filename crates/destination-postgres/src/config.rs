//! What the destination can be told.

use std::num::NonZeroUsize;

use protocol::{BatchLimits, ConnectorError};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use util_postgres::{Address, ConnectOptions, Database};

use crate::failure;
use crate::table::Projection;

/// Rows per transaction unless configured. As many as fit in [`BATCH_BYTES`] where they are small.
pub const DEFAULT_BATCH_SIZE: usize = 4000;

/// Connections unless configured: with three, two cores of a server never wait.
const DEFAULT_CONNECTIONS: usize = 3;

/// Payload bytes per transaction. Each costs a flush of the log and some round trips, and where it is written in parts, the
/// parts end together: with a quarter of this two connections stood still for a third of the time.
const BATCH_BYTES: usize = 4 << 20;

/// Payload bytes held in all: batches being written, and the next ones. What is read meanwhile needs room, too.
const HELD_BYTES: usize = 8 << 20;

/// Configuration of the PostgreSQL destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// Connection string, such as `postgres://user:password@host:5432/database?sslmode=require`.
    /// `sslmode` is disable, prefer, require, verify-ca or verify-full; without it a connection to
    /// another machine is encrypted when the server can.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub url: Option<SecretString>,
    /// Deprecated name of `url`, which wins.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub connection_string: Option<SecretString>,
    /// Schema of the tables.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// How the fields of a payload become columns: generated, typed or view.
    #[serde(default)]
    pub projection: Projection,
    /// Most rows written in one transaction.
    #[serde(default = "default_batch_size")]
    pub batch_size: NonZeroUsize,
    /// Connections that rows are written on at once.
    #[serde(default = "default_connections")]
    pub connections: NonZeroUsize,
    /// Certificates of the authorities to trust, PEM; used by the sslmodes require, verify-ca and verify-full.
    #[serde(default)]
    pub ssl_ca_pem: Option<String>,
}

fn default_schema() -> String {
    "public".to_owned()
}

fn default_batch_size() -> NonZeroUsize {
    NonZeroUsize::new(DEFAULT_BATCH_SIZE).unwrap_or(NonZeroUsize::MIN)
}

fn default_connections() -> NonZeroUsize {
    NonZeroUsize::new(DEFAULT_CONNECTIONS).unwrap_or(NonZeroUsize::MIN)
}

impl PostgresConfig {
    /// The database, without connecting to it yet.
    pub(crate) fn database(&self) -> Result<Database, ConnectorError> {
        let url = self.url.as_ref().or(self.connection_string.as_ref()).ok_or_else(|| {
            ConnectorError::config(
                "the postgres destination needs `url`: postgres://user:password@host:5432/database",
            )
        })?;
        if self.schema.is_empty() || self.schema.len() > util_postgres::MAX_IDENTIFIER_BYTES {
            let text = format!(
                "`schema` must have 1 to 63 bytes, but \"{}\" has {}",
                self.schema,
                self.schema.len()
            );
            return Err(ConnectorError::config(text));
        }
        let address = Address::parse(url.expose_secret()).map_err(failure::connector_error)?;
        let options = ConnectOptions {
            application_name: "sync-engine".to_owned(),
            connections: self.connections.get() + 1,
            ssl_ca_pem: self.ssl_ca_pem.clone(),
        };
        Database::new(&address, &options).map_err(failure::connector_error)
    }

    /// How records are gathered into batches.
    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            rows: self.batch_size.get(),
            bytes: BATCH_BYTES,
            writers: self.connections.get(),
            total_bytes: HELD_BYTES,
            ..BatchLimits::default()
        }
    }
}
