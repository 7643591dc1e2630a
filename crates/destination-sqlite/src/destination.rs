//! The destination itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use protocol::{
    ConfiguredCatalog, ConnectionStatus, ConnectorError, Destination, InspectRequest, LogLevel, Message,
    MessageStream, RowStream, StateStore, WriteRequest, once, write_batches,
};
use rusqlite::TransactionBehavior;
use tokio::task;

use crate::SqliteError;
use crate::config::SqliteConfig;
use crate::database::{Database, directory_of};
use crate::inspect;
use crate::registry::{self, Prepared};
use crate::state::SqliteStateStore;
use crate::writer::SqliteWriter;

/// Writes streams into a SQLite file; see the crate's documentation for what it looks like.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqliteDestination;

impl Destination for SqliteDestination {
    type Config = SqliteConfig;

    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn check(&self, config: SqliteConfig) -> MessageStream {
        once(async move {
            let status = match blocking(move || check(&config.path)).await {
                Ok(()) => ConnectionStatus::succeeded(),
                Err(error) => ConnectionStatus::failed(error.to_string()),
            };
            Ok(Message::connection_status(status))
        })
    }

    fn write(&self, config: SqliteConfig, request: WriteRequest) -> MessageStream {
        let WriteRequest { catalog, input, sync_id } = request;
        let limits = config.limits();
        let opening = blocking(move || {
            let database = Database::create(&config.path)?;
            let prepared = registry::prepare(&database, &catalog)?;
            Ok(SqliteWriter::new(database, prepared, sync_id))
        });
        let messages = async move {
            match opening.await {
                Ok(writer) => write_batches(Arc::new(writer), limits, input),
                Err(error) => once(async { Err(error) }),
            }
        };
        stream::once(messages).flatten().boxed()
    }

    fn setup(&self, config: SqliteConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let prepared = blocking(move || {
            let database = Database::create(&config.path)?;
            registry::prepare(&database, &catalog)
        });
        Some(stream::once(prepared).flat_map(|prepared| stream::iter(said(prepared))).boxed())
    }

    fn teardown(&self, config: SqliteConfig) -> Option<MessageStream> {
        let removed = blocking(move || teardown(&config.path));
        Some(stream::once(removed).filter_map(|result| async { result.err().map(Err) }).boxed())
    }

    fn inspect(&self, config: SqliteConfig, request: InspectRequest) -> Option<RowStream> {
        Some(inspect::rows(config.path, request))
    }

    fn state_store(
        &self,
        config: SqliteConfig,
        sync_id: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let store = SqliteStateStore::new(config.path, sync_id);
        Some(Box::pin(async move { Ok(Box::new(store) as Box<dyn StateStore>) }))
    }
}

/// What setup says: the streams it could not prepare, and the properties that cannot be columns.
fn said(prepared: Result<Prepared, ConnectorError>) -> Vec<Result<Message, ConnectorError>> {
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return vec![Err(error)],
    };
    let hidden = prepared.hidden.into_iter().map(|(stream, properties)| {
        let text = format!(
            "stream `{stream}`: no column for {}, because SQLite cannot tell the name from another one; \
             read it from `_raw_data`",
            properties.join(", ")
        );
        Ok(Message::log(LogLevel::Warn, text))
    });
    hidden.chain(prepared.refused.into_values().map(|error| Err(error.into()))).collect()
}

/// Runs `work` where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SqliteError> + Send + 'static,
) -> Result<T, ConnectorError> {
    let result = task::spawn_blocking(work).await.map_err(|error| {
        ConnectorError::internal("the work on the SQLite file stopped unexpectedly").caused_by(error)
    })?;
    Ok(result?)
}

/// Proves that tables can be made and filled, and leaves nothing behind.
fn check(path: &str) -> Result<(), SqliteError> {
    match Database::existing(path)? {
        Some(database) => {
            let mut connection = database.connection();
            let mut probe = || -> rusqlite::Result<()> {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                transaction
                    .execute_batch("CREATE TABLE _sync_probe (value); INSERT INTO _sync_probe VALUES (1)")?;
                transaction.rollback()
            };
            probe().map_err(|cause| database.refused(cause))
        }
        None => directory_of(path).map_or(Ok(()), |directory| check_directory(&directory)),
    }
}

/// Proves that a file can be made in the directory, or in the nearest one above that exists.
fn check_directory(directory: &Path) -> Result<(), SqliteError> {
    let existing = directory.ancestors().find(|directory| directory.exists());
    let existing = existing.filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    static PROBES: AtomicU64 = AtomicU64::new(0);
    let number = PROBES.fetch_add(1, Ordering::Relaxed);
    let probe = existing.join(format!(".sync-probe-{}-{number}", std::process::id()));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    made.and_then(|_| fs::remove_file(&probe))
        .map_err(|cause| SqliteError::Unwritable { directory: existing.to_owned(), cause })
}

/// Drops what is ours; removes the file if it is empty then and nobody else has it open.
fn teardown(path: &str) -> Result<(), SqliteError> {
    let Some(database) = Database::existing(path)? else { return Ok(()) };
    let occupied = database.transaction(|transaction| {
        registry::drop_all(transaction).map_err(|cause| database.refused(cause))
    })?;
    if occupied {
        return Ok(());
    }
    // Leaving WAL mode works only while no one else has the file open.
    let alone = database
        .connection()
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0))
        .is_ok_and(|mode| mode == "delete");
    drop(database);
    if alone && let Err(cause) = fs::remove_file(path) {
        tracing::warn!(path, error = &cause as &dyn std::error::Error, "the empty SQLite file stays");
    }
    Ok(())
}
