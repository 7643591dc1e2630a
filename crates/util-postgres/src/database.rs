//! Connections to one database.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Pool, PoolError, RecycleError, RecycleResult};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::config::SslNegotiation;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::Connection;
use crate::dial::Dialer;
use crate::login::{Login, TokenSource};
use crate::retry::{BRIEFLY, retrying_for};
use crate::tls::ClientIdentity;
use crate::{Address, ConnectOptions, FailureKind, PostgresError, TlsMode, TransactionLimits, tls};

/// How long to wait for a server to answer, unless told.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database and the connections to it, opened when they are needed. Cloning shares them.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Dialer>,
    limits: TransactionLimits,
    patience: Duration,
    place: Arc<str>,
}

/// A client, and the task that moves its bytes. The task ends with it.
pub struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl managed::Manager for Dialer {
    type Type = Session;
    type Error = PostgresError;

    async fn create(&self) -> Result<Session, PostgresError> {
        let (client, task) = self.connect().await?;
        Ok(Session { client, task })
    }

    async fn recycle(&self, client: &mut Session, _: &Metrics) -> RecycleResult<PostgresError> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}

impl Database {
    /// Prepares connections to `address`. Nothing is opened yet.
    pub fn new(address: &Address, options: &ConnectOptions) -> Result<Database, PostgresError> {
        let mut config = address.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(&*options.application_name);
        }
        let timeout = config.get_connect_timeout().copied().or(options.connect_timeout);
        let timeout = timeout.unwrap_or(CONNECT_TIMEOUT);
        config.connect_timeout(timeout);
        // A peer that vanished without a word is noticed within a minute instead of hours.
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(10));
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(60));
        }
        let login = match (&address.aws, &options.password_file) {
            (Some(_), Some(_)) => {
                return Err(PostgresError::config("`aws` makes its own password: leave `password_file` out"));
            }
            (None, Some(_)) if config.get_password().is_some() => {
                return Err(PostgresError::config(
                    "the password is given twice: leave it out of the connection string, or leave \
                     `password_file` out",
                ));
            }
            (Some(aws), None) => Login::Aws(Arc::new(TokenSource::new(aws.clone()))),
            (None, Some(path)) => Login::File(path.clone()),
            (None, None) => Login::Given,
        };
        let place: Arc<str> = address.place().into();
        let dialer = Dialer {
            mode: address.tls,
            mode_by_default: address.tls_by_default,
            tls: encryption(address, options)?,
            login,
            proxy: options.proxy.clone(),
            timeout,
            place: Arc::clone(&place),
            config,
        };
        let pool = Pool::builder(dialer)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            // The driver's limit covers reaching the server, this one logging in as well.
            .create_timeout(Some(timeout * 2))
            .build()
            .map_err(|error| PostgresError::config("the connection pool cannot be built").caused_by(error))?;
        Ok(Database { pool, limits: options.limits, patience: options.patience.unwrap_or(BRIEFLY), place })
    }

    /// A connection: an idle one, else a new one; waits while all are borrowed.
    pub async fn connect(&self) -> Result<Connection, PostgresError> {
        let client = self.pool.get().await;
        let client = client.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => self.pool.manager().silent(),
            other => PostgresError::new(FailureKind::Permanent, format!("no connection to {}", self.place))
                .caused_by(other),
        })?;
        Ok(Connection::new(client, self.limits))
    }

    /// Does `work` until it succeeds, fails for good, or has failed in a passing way for as long as
    /// [`ConnectOptions::patience`] says. `what` names it in the log.
    pub async fn retrying<T, E, F>(&self, what: &str, work: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: AsRef<PostgresError> + std::error::Error + 'static,
    {
        retrying_for(self.patience, what, work).await
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

/// The TLS settings of a connection that may be encrypted.
fn encryption(
    address: &Address,
    options: &ConnectOptions,
) -> Result<Option<MakeRustlsConnect>, PostgresError> {
    if address.tls == TlsMode::Disable {
        return Ok(None);
    }
    let mut certificates = address.certificates.clone();
    if options.ssl_ca_pem.is_some() {
        certificates.authorities = options.ssl_ca_pem.clone();
    }
    if let Some((certificate, key)) = &options.ssl_identity_pem {
        let (certificate, key) = (certificate.clone(), key.clone());
        certificates.identity = Some(ClientIdentity::Texts { certificate, key });
    }
    let mut tls = tls::client_config(address.tls, &certificates)?;
    if address.config.get_ssl_negotiation() == SslNegotiation::Direct {
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Some(MakeRustlsConnect::new(tls)))
}
