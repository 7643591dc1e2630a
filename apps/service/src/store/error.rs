//! Why the store cannot do what it was asked.

use protocol::with_causes;
use rusqlite::ErrorCode;
use util_postgres::{FailureKind, PostgresError};

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something that had to be so is not: another version, no lease, nothing there.
    #[error("the store has changed meanwhile")]
    Unmet,
    /// Such a thing exists already.
    #[error("it exists already")]
    Conflict,
    /// The database cannot be reached or cannot take it now; trying again helps.
    #[error("{0}")]
    Unavailable(String),
    /// Trying again does not help.
    #[error("{0}")]
    Broken(String),
}

impl StoreError {
    pub(crate) fn broken(text: impl Into<String>) -> StoreError {
        StoreError::Broken(text.into())
    }

    /// Whether such a thing exists already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict)
    }

    pub(super) fn postgres(error: &PostgresError) -> StoreError {
        let state = error.refusal().map(|refusal| refusal.code().code().to_owned());
        match state.as_deref() {
            // A key, a table, a schema or, of tables that are made at once, a table's type that is there already.
            Some("23505" | "42P07" | "42P06" | "42710") => StoreError::Conflict,
            _ if error.is_transient() => StoreError::Unavailable(format!("the store: {error}")),
            _ if error.kind() == FailureKind::Auth => StoreError::Broken(format!("the store: {error}")),
            _ => StoreError::Broken(format!("the store: {}", with_causes(error))),
        }
    }

    pub(super) fn sqlite(error: &rusqlite::Error) -> StoreError {
        StoreError::sqlite_at("", error)
    }

    pub(super) fn sqlite_at(place: &str, error: &rusqlite::Error) -> StoreError {
        let place = if place.is_empty() { String::new() } else { format!(" {place}") };
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) if is_duplicate(error) => StoreError::Conflict,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unavailable(format!(
                "the store{place} is in use by another process for longer than it may be"
            )),
            Some(ErrorCode::DiskFull) => {
                StoreError::Unavailable(format!("the disk of the store{place} is full: make room"))
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                StoreError::Broken(format!(
                    "the store{place} cannot be opened for writing: check the directory of --data-dir and who owns it"
                ))
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Broken(format!(
                "the store{place} is no database of sync-service, or is damaged: restore a backup"
            )),
            _ => StoreError::Broken(format!("the store{place}: {}", with_causes(error))),
        }
    }
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY | rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
    )
}
