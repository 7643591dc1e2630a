//! What PostgreSQL's failures are to the engine.

use protocol::{ConnectorError, ErrorKind};
use util_postgres::{FailureKind, PostgresError};

/// The same failure, for whoever runs the connector.
pub(crate) fn connector_error(error: PostgresError) -> ConnectorError {
    let kind = match error.kind() {
        FailureKind::Config | FailureKind::Missing | FailureKind::ReadOnly => ErrorKind::Config,
        FailureKind::Auth => ErrorKind::Auth,
        FailureKind::Transient => ErrorKind::Transient,
        FailureKind::DiskFull | FailureKind::Data | FailureKind::Permanent => ErrorKind::Permanent,
    };
    ConnectorError::new(kind, error.to_string()).caused_by(error)
}
