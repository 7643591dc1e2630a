//! What can go wrong, in words for the user.

use std::io;
use std::path::PathBuf;

use protocol::{ConnectorError, ErrorKind};
use rusqlite::ErrorCode;

/// Why a SQLite file cannot be read or written, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// No path was given.
    #[error("`path` is empty: name the SQLite file to write, such as `./stripe.db`, or `:memory:`")]
    NoPath,
    /// The directory of the file does not exist and cannot be made.
    #[error(
        "cannot create the directory `{}` of the SQLite file: {cause}. Create it, or choose another `path`",
        directory.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A new file cannot be made in its directory.
    #[error(
        "cannot create files in the directory `{}`: {cause}. Make it writable, or choose another `path`",
        directory.display()
    )]
    Unwritable {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// SQLite refused.
    #[error("{}", explain(path, cause))]
    Database {
        /// The file.
        path: String,
        /// What SQLite said.
        cause: Box<rusqlite::Error>,
    },
    /// SQLite refused one row.
    #[error("stream `{stream}`, row {key}: {}", explain(path, cause))]
    Row {
        /// The file.
        path: String,
        /// The stream.
        stream: String,
        /// Its primary key, as a JSON array.
        key: String,
        /// What SQLite said.
        cause: Box<rusqlite::Error>,
    },
    /// A table or view of a stream's name is someone else's.
    #[error(
        "stream `{stream}`: the file already has `{name}`, which is not a table of this stream with the primary key ({key}). \
         Rename or drop it, or choose another `path`"
    )]
    NotOurs {
        /// The stream.
        stream: String,
        /// The table or view in the way.
        name: String,
        /// The primary key that the stream has.
        key: String,
    },
    /// A stream cannot have a table under its name.
    #[error("stream `{stream}` cannot be written to SQLite: {reason}")]
    StreamName {
        /// The stream.
        stream: String,
        /// Why not.
        reason: String,
    },
    /// A record's stream is not in the catalog.
    #[error("stream `{stream}` is not in the catalog")]
    UnknownStream {
        /// The stream.
        stream: String,
    },
    /// A record cannot be identified.
    #[error(
        "stream `{stream}`: a record has no usable value in the primary key field `{field}` ({id}). \
         The source must set it to a text, a number or a boolean"
    )]
    NoKey {
        /// The stream.
        stream: String,
        /// The field.
        field: String,
        /// What is known of the record's identity.
        id: String,
    },
    /// A record cannot be ordered in time.
    #[error(
        "stream `{stream}`: the record {key} has no usable value in `{field}`: it is {found}. \
         The source must set it to whole unix seconds"
    )]
    NoVersion {
        /// The stream.
        stream: String,
        /// The stream's `newer_than_field`.
        field: String,
        /// The record's primary key, as a JSON array.
        key: String,
        /// What the field holds.
        found: String,
    },
    /// A record's payload is not an object.
    #[error("stream `{stream}`: a record is not a JSON object: {cause}")]
    NotAnObject {
        /// The stream.
        stream: String,
        /// What the reader said.
        cause: protocol::RawJsonError,
    },
    /// A stored state cannot be read.
    #[error(
        "the stored state of `{stream}` in the SQLite file `{path}` is not JSON: {cause}. \
         Start over without the state, or restore the file from a backup"
    )]
    State {
        /// The file.
        path: String,
        /// The stream.
        stream: String,
        /// What the reader said.
        cause: protocol::RawJsonError,
    },
}

impl SqliteError {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            SqliteError::NoPath
            | SqliteError::Directory { .. }
            | SqliteError::Unwritable { .. }
            | SqliteError::NotOurs { .. }
            | SqliteError::StreamName { .. }
            | SqliteError::UnknownStream { .. } => ErrorKind::Config,
            SqliteError::NoKey { .. }
            | SqliteError::NoVersion { .. }
            | SqliteError::NotAnObject { .. }
            | SqliteError::State { .. } => ErrorKind::Permanent,
            SqliteError::Database { cause, .. } | SqliteError::Row { cause, .. } => {
                match cause.sqlite_error_code() {
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Transient,
                    Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::NotADatabase) => {
                        ErrorKind::Config
                    }
                    _ => ErrorKind::Permanent,
                }
            }
        }
    }

    /// Whether another program held the file, so that trying again can help.
    pub(crate) fn is_busy(&self) -> bool {
        self.kind() == ErrorKind::Transient
    }
}

impl From<SqliteError> for ConnectorError {
    fn from(error: SqliteError) -> ConnectorError {
        ConnectorError::new(error.kind(), error.to_string()).caused_by(error)
    }
}

fn explain(path: &str, cause: &rusqlite::Error) -> String {
    let file = format!("the SQLite file `{path}`");
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{file} is locked by another program. Close it, or end its transaction, and try again")
        }
        Some(ErrorCode::ReadOnly) => {
            format!("{file} is read-only. Make the file and its directory writable, or choose another `path`")
        }
        Some(ErrorCode::CannotOpen) => format!(
            "{file} cannot be opened or created. Check that the path is a file in a directory you may write to"
        ),
        Some(ErrorCode::NotADatabase) => {
            format!("`{path}` is not a SQLite database. Choose another `path`, or move that file away")
        }
        Some(ErrorCode::DiskFull) => {
            format!(
                "the disk is full: {file} cannot grow. Free some space and run again; it goes on from here"
            )
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("{file} is damaged ({cause}). Restore it from a backup, or delete it and sync again")
        }
        Some(ErrorCode::SystemIoFailure) => format!(
            "the operating system failed to read or write {file} ({cause}). \
             Check the disk, its quota and the limit on file sizes, and run again; it goes on from here"
        ),
        _ => format!("{file}: {cause}"),
    }
}
