//! One open SQLite file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::SqliteError;

/// How long SQLite waits for a lock before it gives up once.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a transaction is tried: some 15 seconds in all.
const TRIES: u32 = 5;
/// Pause before the second try; it grows with each.
const PAUSE: Duration = Duration::from_millis(50);
/// Pages of this size hold a typical payload without a chain of overflow pages.
const PAGE_BYTES: u32 = 8192;
/// Pages in the log, 32 MiB, before they are moved into the file: each time waits for the disk.
const WAL_PAGES: u32 = 4096;
/// Memory for pages, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

/// An open file and its one connection.
pub(crate) struct Database {
    path: String,
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the file; creates it, and its directory, where they are missing.
    pub(crate) fn create(path: &str) -> Result<Database, SqliteError> {
        if let Some(directory) = directory_of(path)
            && let Err(cause) = fs::create_dir_all(&directory)
        {
            return Err(SqliteError::Directory { directory, cause });
        }
        Database::open(path, OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens the file if there is one.
    pub(crate) fn existing(path: &str) -> Result<Option<Database>, SqliteError> {
        if path.is_empty() {
            return Err(SqliteError::NoPath);
        }
        if is_in_memory(path) || !Path::new(path).exists() {
            return Ok(None);
        }
        Database::open(path, OpenFlags::empty()).map(Some)
    }

    fn open(path: &str, extra: OpenFlags) -> Result<Database, SqliteError> {
        if path.is_empty() {
            return Err(SqliteError::NoPath);
        }
        let refused = |cause| SqliteError::Database { path: path.to_owned(), cause: Box::new(cause) };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
        let mut tries = 1;
        loop {
            match Connection::open_with_flags(path, flags).and_then(configured) {
                Ok(connection) => {
                    return Ok(Database { path: path.to_owned(), connection: Mutex::new(connection) });
                }
                Err(cause) => {
                    let error = refused(cause);
                    if !error.is_busy() || tries == TRIES {
                        return Err(error);
                    }
                    thread::sleep(PAUSE * tries);
                    tries += 1;
                }
            }
        }
    }

    /// The path as it was given.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The connection. A panic in a transaction has rolled it back, so a poisoned lock is sound.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a write transaction and commits it; again while other programs hold the file.
    pub(crate) fn transaction<T>(
        &self,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, SqliteError>,
    ) -> Result<T, SqliteError> {
        let mut connection = self.connection();
        let mut tries = 1;
        loop {
            match self.attempt(&mut connection, &mut work) {
                Err(error) if error.is_busy() && tries < TRIES => {
                    tracing::debug!(path = self.path, tries, "the SQLite file is locked");
                    thread::sleep(PAUSE * tries);
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    fn attempt<T>(
        &self,
        connection: &mut Connection,
        work: &mut impl FnMut(&Transaction<'_>) -> Result<T, SqliteError>,
    ) -> Result<T, SqliteError> {
        let refused = |cause| self.refused(cause);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(refused)?;
        let answer = work(&transaction)?;
        transaction.commit().map_err(refused)?;
        Ok(answer)
    }

    /// What SQLite said, about this file.
    pub(crate) fn refused(&self, cause: rusqlite::Error) -> SqliteError {
        SqliteError::Database { path: self.path.clone(), cause: Box::new(cause) }
    }
}

/// Whether the path means a database in memory.
pub(crate) fn is_in_memory(path: &str) -> bool {
    path == ":memory:"
}

/// The directory that the file is in; `None` for a database in memory.
pub(crate) fn directory_of(path: &str) -> Option<PathBuf> {
    if is_in_memory(path) {
        return None;
    }
    let parent = Path::new(path).parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

fn configured(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Takes effect in a new file only.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}
