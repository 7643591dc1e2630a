//! How to connect, beside the address.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::Proxy;

/// How to connect. The connection string wins where it says something else.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// What the server shows in `pg_stat_activity`.
    pub application_name: String,
    /// Most connections open at once; at least one.
    pub connections: usize,
    /// PEM certificates of the authorities to trust; wins over `sslrootcert`.
    pub ssl_ca_pem: Option<String>,
    /// Our own certificate and its key, PEM; wins over `sslcert` and `sslkey`.
    pub ssl_identity_pem: Option<(String, SecretString)>,
    /// A file that holds the password; read for each new connection.
    pub password_file: Option<PathBuf>,
    /// How long to wait for a server to answer; ten seconds unless told.
    pub connect_timeout: Option<Duration>,
    /// A proxy on the way.
    pub proxy: Option<Proxy>,
    /// For how long [`crate::Database::retrying`] puts up with passing failures; fifteen seconds unless told.
    pub patience: Option<Duration>,
    /// How long things may take inside transactions.
    pub limits: TransactionLimits,
}

/// How long things may take inside a transaction begun by [`crate::Connection::transaction`]. What is `None` is
/// left to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionLimits {
    /// `statement_timeout`.
    pub statement: Option<Duration>,
    /// `lock_timeout`.
    pub lock: Option<Duration>,
    /// `idle_in_transaction_session_timeout`.
    pub idle: Option<Duration>,
}

impl TransactionLimits {
    /// The statements that set them for one transaction; nothing of them outlives it, so that a pooler may
    /// give the session to somebody else afterwards.
    pub(crate) fn sql(&self) -> Option<String> {
        let settings = [
            ("statement_timeout", self.statement),
            ("lock_timeout", self.lock),
            ("idle_in_transaction_session_timeout", self.idle),
        ];
        let statements: Vec<String> = settings
            .into_iter()
            .filter_map(|(name, limit)| Some(format!("SET LOCAL {name} = {}", limit?.as_millis())))
            .collect();
        (!statements.is_empty()).then(|| statements.join("; "))
    }
}
