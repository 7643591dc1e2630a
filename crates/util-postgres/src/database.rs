//! A pool of connections to one database.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslNegotiation;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Address, FailureKind, PostgresError, TlsMode, tls};

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// What the server shows in `pg_stat_activity`, unless the connection string says otherwise.
    pub application_name: String,
    /// Most connections open at once.
    pub connections: usize,
    /// PEM certificates of the authorities to trust; wins over `sslrootcert`.
    pub ssl_ca_pem: Option<String>,
}

/// How long to wait for a server to answer, unless the connection string says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database and the connections to it, opened when they are needed. Cloning shares them.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    place: Arc<str>,
}

/// A borrowed connection; dropping it gives it back.
pub type Connection = Object;

/// A transaction on a [`Connection`]; dropping it rolls back.
pub type Transaction<'connection> = deadpool_postgres::Transaction<'connection>;

impl Database {
    /// Prepares connections to `address`. Nothing is opened yet.
    pub fn new(address: &Address, options: &ConnectOptions) -> Result<Database, PostgresError> {
        let mut config = address.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(&*options.application_name);
        }
        let timeout = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        config.connect_timeout(timeout);
        // A peer that vanished without a word is noticed within a minute instead of hours.
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(10));
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(60));
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match address.tls {
            TlsMode::Disable => Manager::from_config(config, NoTls, recycling),
            mode => {
                let mut certificates = address.certificates.clone();
                certificates.authorities = options.ssl_ca_pem.clone();
                let mut tls = tls::client_config(mode, &certificates)?;
                if config.get_ssl_negotiation() == SslNegotiation::Direct {
                    tls.alpn_protocols = vec![b"postgresql".to_vec()];
                }
                Manager::from_config(config, MakeRustlsConnect::new(tls), recycling)
            }
        };
        let pool = Pool::builder(manager)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            // The driver's limit covers reaching the server, this one logging in as well.
            .create_timeout(Some(timeout * 2))
            .build()
            .map_err(|error| PostgresError::config("the connection pool cannot be built").caused_by(error))?;
        Ok(Database { pool, place: address.place().into() })
    }

    /// A connection: an idle one, else a new one; waits while all are borrowed.
    pub async fn connect(&self) -> Result<Connection, PostgresError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.failure(error),
            PoolError::Timeout(_) => {
                let text =
                    format!("PostgreSQL at {} does not answer. Check host, port and firewall.", self.place);
                PostgresError::new(FailureKind::Transient, text)
            }
            other => PostgresError::new(FailureKind::Permanent, format!("no connection to {}", self.place))
                .caused_by(other),
        })
    }

    /// What an error of a connection of this database means.
    pub fn failure(&self, error: tokio_postgres::Error) -> PostgresError {
        PostgresError::from_driver(error, &self.place)
    }

    /// `host:port/database`, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }
}
