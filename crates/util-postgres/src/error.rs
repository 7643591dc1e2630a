//! What a failure means, and how to say it.

use std::error::Error as StdError;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The connection string or the server's configuration is wrong.
    Config,
    /// The credentials are refused, or the role lacks a right.
    Auth,
    /// A passing fault: the connection broke, the server restarts, a deadlock, a lock not granted in time.
    Transient,
    /// The server or the database takes no writes.
    ReadOnly,
    /// The server's disk is full.
    DiskFull,
    /// A schema, table or column is not there.
    Missing,
    /// The server refuses a value: out of range, malformed, or against a constraint.
    Data,
    /// Anything else that trying again does not help.
    Permanent,
}

/// A failure: what went wrong, where, and what to do. The driver's error is its source.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PostgresError {
    kind: FailureKind,
    message: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl AsRef<PostgresError> for PostgresError {
    fn as_ref(&self) -> &PostgresError {
        self
    }
}

impl PostgresError {
    /// A failure of a given sort, in words for the user.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> PostgresError {
        PostgresError { kind, message: message.into(), source: None }
    }

    /// [`FailureKind::Config`].
    pub fn config(message: impl Into<String>) -> PostgresError {
        PostgresError::new(FailureKind::Config, message)
    }

    /// What the driver reported about the server at `place` (`host:port/database`).
    pub fn from_driver(error: tokio_postgres::Error, place: &str) -> PostgresError {
        let (kind, message) = match error.as_db_error() {
            Some(refusal) => (kind_of(refusal.code()), sentence(refusal, place)),
            None => describe_connection(&error, place),
        };
        PostgresError { kind, message, source: Some(Box::new(error)) }
    }

    /// The same failure in other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> PostgresError {
        self.message = message.into();
        self
    }

    /// The same failure with its cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> PostgresError {
        self.source = Some(source.into());
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether trying again can help, on another connection. A server that takes no writes may be the one that
    /// was the primary until now, and a full disk is made room on.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, FailureKind::Transient | FailureKind::ReadOnly | FailureKind::DiskFull)
    }

    /// Whether the other way, encrypted or not, may succeed: the server lets nobody in this way (its
    /// `pg_hba.conf`), or no encryption was agreed on.
    pub(crate) fn is_about_encryption(&self) -> bool {
        match self.refusal() {
            Some(refusal) => *refusal.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            None => self.kind == FailureKind::Config && self.source.is_some(),
        }
    }

    /// What the server said, where it was the server that failed.
    pub fn refusal(&self) -> Option<&DbError> {
        self.source.as_deref()?.downcast_ref::<tokio_postgres::Error>()?.as_db_error()
    }
}

fn kind_of(code: &SqlState) -> FailureKind {
    match code.code() {
        "28P01" | "28000" | "42501" => FailureKind::Auth,
        "3D000" | "53400" => FailureKind::Config,
        "25006" => FailureKind::ReadOnly,
        "53100" => FailureKind::DiskFull,
        "42P01" | "3F000" | "42703" => FailureKind::Missing,
        // Deadlocks and conflicts; too many connections, out of memory; lock or statement took too
        // long; idle sessions ended; a prepared statement that a pooler forgot.
        "40001" | "40P01" | "53000" | "53200" | "53300" | "55P03" | "57014" | "25P03" | "26000" | "42P05" => {
            FailureKind::Transient
        }
        // The server stops, crashed, or starts.
        other if other.starts_with("57P") && other != "57P04" => FailureKind::Transient,
        other => match other.get(..2) {
            Some("08") => FailureKind::Transient,
            Some("22" | "23" | "54") => FailureKind::Data,
            _ => FailureKind::Permanent,
        },
    }
}

fn sentence(refusal: &DbError, place: &str) -> String {
    let (said, code) = (refusal.message(), refusal.code().code());
    let advice = match code {
        "28P01" | "28000" => "Check user and password in the connection string.",
        "3D000" => "Create the database, or correct its name in the connection string.",
        "42501" => "Grant the role this right, or connect as one that has it.",
        "25006" => "Connect to the primary server, or turn default_transaction_read_only off.",
        "53100" => "The server's disk is full: make room, then run again.",
        "53300" => "All the server's connections are in use: close some or raise max_connections.",
        "55P03" => "Another session holds a lock on the table: let it finish, then run again.",
        "57014" => {
            "A statement took longer than statement_timeout: raise it for this role, or lower batch_size."
        }
        "40P01" | "40001" => "Another session writes the same rows: run again.",
        "57P01" | "57P02" | "57P03" => "The server is stopping or starting: run again when it is up.",
        "42P01" | "3F000" | "42703" => "Run setup to create it.",
        _ => "",
    };
    let mut sentence = format!("PostgreSQL at {place}: {said} (SQLSTATE {code}).");
    for part in [refusal.hint().unwrap_or_default(), advice] {
        if !part.is_empty() {
            sentence.push(' ');
            sentence.push_str(part);
        }
    }
    sentence
}

/// No server said anything: the way to it failed.
fn describe_connection(error: &tokio_postgres::Error, place: &str) -> (FailureKind, String) {
    let causes = || std::iter::successors(error.source(), |cause| (*cause).source());
    let io = causes().find_map(|cause| cause.downcast_ref::<io::Error>());
    let tls = io.and_then(|io| io.get_ref()).filter(|inner| inner.is::<rustls::Error>());
    let deepest = causes().last().map_or_else(|| error.to_string(), ToString::to_string);
    if let Some(tls) = tls {
        let advice = "Give the authority's certificate as ssl_ca_pem or sslrootcert, use the host name \
                      in the certificate, or choose another sslmode.";
        return (FailureKind::Config, format!("PostgreSQL at {place}: TLS failed: {tls}. {advice}"));
    }
    if error.is_closed() || io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
        return (FailureKind::Transient, format!("PostgreSQL at {place} closed the connection."));
    }
    if io.is_some() || error.source().is_none() {
        let advice =
            "Check that the server runs, that host and port are right, and that no firewall is between.";
        return (
            FailureKind::Transient,
            format!("PostgreSQL at {place} cannot be reached: {deepest}. {advice}"),
        );
    }
    (FailureKind::Config, format!("PostgreSQL at {place}: {error}: {deepest}."))
}
