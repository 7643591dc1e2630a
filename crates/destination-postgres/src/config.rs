//! What the destination can be told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use protocol::{BatchLimits, ConnectorError};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use util_postgres::Database;

use crate::connect;
use crate::table::Projection;

/// Rows per transaction unless configured. As many as fit in a batch of 3 MiB where they are small.
pub const DEFAULT_BATCH_SIZE: usize = 4000;

/// Connections unless configured: with three, two cores of a server never wait.
const DEFAULT_CONNECTIONS: usize = 3;

/// Payload bytes of a batch for each connection that may write a part of it; of a batch at least, and at most. Each part
/// costs a flush of the log and some round trips, and the parts of a batch end together: with 1 MiB in all, two connections
/// stood still for a third of the time.
const PART_BYTES: usize = 1 << 20;
const LEAST_BATCH_BYTES: usize = 3 << 20;
const MOST_BATCH_BYTES: usize = 8 << 20;

/// Configuration of the PostgreSQL destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// Connection string, such as `postgres://user:password@host:5432/database?sslmode=require`.
    /// `sslmode` is disable, allow, prefer, require, verify-ca or verify-full. Without it a connection within
    /// this machine is not encrypted, one in a private network is encrypted when the server can, and any
    /// other server must prove who it is (verify-full).
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
    /// A database of Amazon RDS or Aurora, to which IAM gives the password; instead of `url`.
    #[serde(default)]
    pub aws: Option<AwsConfig>,
    /// Our own certificate, PEM, where the server asks for one; with `ssl_key_pem`.
    #[serde(default)]
    pub ssl_cert_pem: Option<String>,
    /// The key of `ssl_cert_pem`, PEM.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ssl_key_pem: Option<SecretString>,
    /// A file that holds the password; read for each new connection, so that it may be replaced meanwhile.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// What the server shows in `pg_stat_activity`.
    #[serde(default = "default_application_name")]
    pub application_name: String,
    /// How long to wait for the server to answer, in milliseconds.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout_ms: NonZeroU32,
    /// `statement_timeout` of our transactions, in milliseconds; the server's own unless given.
    #[serde(default)]
    pub statement_timeout_ms: Option<NonZeroU32>,
    /// `lock_timeout` of our transactions, in milliseconds; the server's own unless given.
    #[serde(default)]
    pub lock_timeout_ms: Option<NonZeroU32>,
    /// `idle_in_transaction_session_timeout` of our transactions, in milliseconds; the server's own unless given.
    #[serde(default)]
    pub idle_in_transaction_timeout_ms: Option<NonZeroU32>,
    /// For how long a batch is tried again while the server restarts, fails over, takes no writes or has a full
    /// disk, in milliseconds; then its stream fails, and goes on from there in the next run.
    #[serde(default = "default_retry_for")]
    pub retry_for_ms: NonZeroU32,
    /// An HTTP proxy that leads to the server.
    #[serde(default)]
    pub proxy: Option<ProxyConfig>,
    /// What setup adds beside the tables.
    #[serde(default)]
    pub packs: Packs,
}

/// What setup adds beside the tables; nothing of it unless asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Packs {
    /// Indexes on `created` and on the columns that hold ids of other objects.
    pub indexes: bool,
    /// Foreign keys where a field is named as the stream that it refers to. They are declared for tools and not
    /// enforced, which PostgreSQL can since version 18; before, there are none.
    pub foreign_keys: bool,
    /// Comments on tables and columns that have none.
    pub comments: bool,
    /// A role that may read the tables; made, without login, where it is missing.
    pub reader_role: Option<String>,
    /// Row-level security: a session that does not own the tables sees the rows of the accounts in its setting
    /// `sync.account_ids` (ids with commas between them).
    pub row_level_security: bool,
}

fn default_retry_for() -> NonZeroU32 {
    // A managed database that fails over is back within a minute or two.
    const TWO_MINUTES: NonZeroU32 = NonZeroU32::new(120_000).unwrap();
    TWO_MINUTES
}

/// A database of Amazon RDS or Aurora.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsConfig {
    /// Host name of the instance or cluster.
    pub host: String,
    /// Port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Role in the database, which has been granted `rds_iam`.
    pub user: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// The role to take on; without it the ambient credentials are used.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The external id that the role demands.
    #[serde(default)]
    pub external_id: Option<String>,
    /// require, verify-ca or verify-full (the default). Amazon's authority is not among the public ones: to
    /// verify, give its bundle as `ssl_ca_pem`.
    #[serde(default)]
    pub sslmode: Option<String>,
}

/// An HTTP proxy that is asked by `CONNECT`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Host name or address of the proxy.
    pub host: String,
    /// Its port.
    #[serde(default = "default_proxy_port")]
    pub port: u16,
    /// Hosts that are reached without it, by exactly these names.
    #[serde(default)]
    pub no_proxy: Vec<String>,
}

fn default_port() -> u16 {
    5432
}

fn default_proxy_port() -> u16 {
    10_072
}

fn default_application_name() -> String {
    "sync-engine".to_owned()
}

fn default_connect_timeout() -> NonZeroU32 {
    const TEN_SECONDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
    TEN_SECONDS
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
        if self.schema.is_empty() || self.schema.len() > util_postgres::MAX_IDENTIFIER_BYTES {
            let text = format!(
                "`schema` must have 1 to 63 bytes, but \"{}\" has {}",
                self.schema,
                self.schema.len()
            );
            return Err(ConnectorError::config(text));
        }
        connect::database(self, self.connections.get() + 1)
    }

    /// The same database for another purpose than writing rows: without connecting to it yet, with at most so many
    /// connections, which the server shows as `application_name`. Fails where the configuration contradicts itself.
    pub fn database_for(
        &self,
        application_name: &str,
        connections: usize,
    ) -> Result<Database, ConnectorError> {
        let config = PostgresConfig { application_name: application_name.to_owned(), ..self.clone() };
        connect::database(&config, connections)
    }

    /// How records are gathered into batches.
    pub(crate) fn limits(&self) -> BatchLimits {
        let bytes = self.connections.get().saturating_mul(PART_BYTES);
        let bytes = bytes.clamp(LEAST_BATCH_BYTES, MOST_BATCH_BYTES);
        BatchLimits {
            rows: self.batch_size.get(),
            bytes,
            writers: self.connections.get(),
            // What is read while a batch is written needs room, too.
            total_bytes: bytes * 5 / 3,
            ..BatchLimits::default()
        }
    }
}
