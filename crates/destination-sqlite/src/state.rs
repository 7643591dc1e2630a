//! The states of syncs, kept beside the rows they are about.

use async_trait::async_trait;
use protocol::{ConnectorError, RawJson, SourceState, StateStore, Timestamp};
use rusqlite::{Connection, params};
use tokio::task;

use crate::SqliteError;
use crate::database::Database;

/// Stands for the stream in a global state.
pub(crate) const GLOBAL: &str = "_global";

/// Keeps a state; part of the caller's transaction.
pub(crate) fn store(
    connection: &Connection,
    sync_id: &str,
    stream: &str,
    state: &RawJson,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO _sync_state (sync_id, stream, state, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (sync_id, stream) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        )?
        .execute(params![sync_id, stream, state.as_str(), now.to_string()])?;
    Ok(())
}

/// The states of one sync in one file.
pub(crate) struct SqliteStateStore {
    path: String,
    sync_id: String,
}

impl SqliteStateStore {
    pub(crate) fn new(path: String, sync_id: &str) -> SqliteStateStore {
        SqliteStateStore { path, sync_id: sync_id.to_owned() }
    }

    /// Runs `work` on the file and the sync's name; `None` where the file or the table is not there.
    async fn with_states<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database, &str) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<Option<T>, ConnectorError> {
        let (path, sync_id) = (self.path.clone(), self.sync_id.clone());
        let work = move || {
            let Some(database) = Database::existing(&path)? else { return Ok(None) };
            let known = database
                .connection()
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sync_state')",
                    [],
                    |row| row.get(0),
                )
                .map_err(|cause| database.refused(cause))?;
            if known { work(&database, &sync_id).map(Some) } else { Ok(None) }
        };
        let result: Result<Option<T>, SqliteError> = task::spawn_blocking(work).await.map_err(|error| {
            ConnectorError::internal("reading the SQLite file stopped unexpectedly").caused_by(error)
        })?;
        Ok(result?)
    }
}

#[async_trait]
impl StateStore for SqliteStateStore {
    async fn load(&self) -> Result<Option<SourceState>, ConnectorError> {
        Ok(self.with_states(load).await?.flatten())
    }

    async fn clear(&self) -> Result<(), ConnectorError> {
        self.with_states(|database, sync_id| {
            database.transaction(|transaction| {
                transaction
                    .execute("DELETE FROM _sync_state WHERE sync_id = ?1", [sync_id])
                    .map_err(|cause| database.refused(cause))
            })
        })
        .await?;
        Ok(())
    }
}

fn load(database: &Database, sync_id: &str) -> Result<Option<SourceState>, SqliteError> {
    let connection = database.connection();
    let rows = || -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = connection.prepare("SELECT stream, state FROM _sync_state WHERE sync_id = ?1")?;
        statement.query_map([sync_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let rows = rows().map_err(|cause| database.refused(cause))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut state = SourceState::default();
    for (stream, text) in rows {
        let data = RawJson::parse(text).map_err(|cause| SqliteError::State {
            path: database.path().to_owned(),
            stream: stream.clone(),
            cause,
        })?;
        if stream == GLOBAL {
            state.global = data;
        } else {
            state.streams.insert(stream, data);
        }
    }
    Ok(Some(state))
}
