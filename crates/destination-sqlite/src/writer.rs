//! Making batches durable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use protocol::{Batch, BatchWriter, ConnectorError, ErrorKind, RawJson, Sweep, Timestamp, segments};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params, params_from_iter};
use tokio::task;

use crate::SqliteError;
use crate::change::{Change, End, Key, changes};
use crate::database::Database;
use crate::layout::Layout;
use crate::registry::Prepared;
use crate::state;

/// Writes the batches of one sync, one at a time.
#[derive(Clone)]
pub(crate) struct SqliteWriter(Arc<Inner>);

struct Inner {
    database: Database,
    layouts: HashMap<Arc<str>, Layout>,
    /// Why a stream cannot be written.
    refused: HashMap<Arc<str>, (ErrorKind, String)>,
    sync_id: Option<String>,
}

impl SqliteWriter {
    pub(crate) fn new(database: Database, prepared: Prepared, sync_id: Option<String>) -> SqliteWriter {
        let refused = prepared.refused.into_iter();
        SqliteWriter(Arc::new(Inner {
            database,
            layouts: prepared.layouts,
            refused: refused.map(|(stream, error)| (stream, (error.kind(), error.to_string()))).collect(),
            sync_id,
        }))
    }

    /// Runs `work` where blocking is allowed. What was begun is finished even if nobody waits.
    async fn blocking(
        &self,
        work: impl FnOnce(&Inner) -> Result<(), ConnectorError> + Send + 'static,
    ) -> Result<(), ConnectorError> {
        let inner = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&inner)).await.unwrap_or_else(|error| {
            Err(ConnectorError::internal("the SQLite writer stopped unexpectedly").caused_by(error))
        })
    }
}

impl BatchWriter for SqliteWriter {
    /// Rows borrow from their batch; what they become is worked out as they are written.
    type Prepared = ();

    fn prepare(&self, _: &Batch) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn commit(&self, batch: Arc<Batch>, (): ()) -> Result<(), ConnectorError> {
        self.blocking(move |inner| inner.commit(&batch)).await
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        self.blocking(move |inner| Ok(inner.commit_global(&state)?)).await
    }
}

impl Inner {
    fn commit(&self, batch: &Batch) -> Result<(), ConnectorError> {
        let stream = batch.stream();
        if let Some((kind, message)) = self.refused.get(stream) {
            return Err(ConnectorError::new(*kind, message.clone()));
        }
        let Some(layout) = self.layouts.get(stream) else {
            return Err(SqliteError::UnknownStream { stream: stream.to_string() }.into());
        };
        let now = Timestamp::now();
        let mut steps = Vec::new();
        for segment in segments(batch.records(), &layout.newer_than)? {
            let changes = changes(layout, segment.records.into_iter(), now.unix_seconds())?;
            steps.push((changes, segment.sweeps));
        }
        let state = self.sync_id.as_deref().zip(batch.state());
        if steps.is_empty() && state.is_none() {
            return Ok(());
        }
        self.database.transaction(|transaction| {
            let refused = |cause| self.database.refused(cause);
            let mut rows = Rows::open(transaction, layout, now).map_err(refused)?;
            for (changes, sweeps) in &steps {
                for (key, change) in changes {
                    rows.apply(key, change).map_err(|cause| self.refused_row(layout, key, cause))?;
                }
                for sweep in sweeps {
                    rows.sweep(sweep).map_err(refused)?;
                }
            }
            if let Some((sync_id, state)) = state {
                state::store(transaction, sync_id, stream, state, now).map_err(refused)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn commit_global(&self, state: &RawJson) -> Result<(), SqliteError> {
        let Some(sync_id) = &self.sync_id else { return Ok(()) };
        self.database.transaction(|transaction| {
            state::store(transaction, sync_id, state::GLOBAL, state, Timestamp::now())
                .map_err(|cause| self.database.refused(cause))
        })
    }

    /// Names the row where it is the row's fault.
    fn refused_row(&self, layout: &Layout, key: &Key<'_>, cause: rusqlite::Error) -> SqliteError {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match cause.sqlite_error_code() {
            Some(ConstraintViolation | TooBig | TypeMismatch) => SqliteError::Row {
                path: self.database.path().to_owned(),
                stream: layout.stream.to_string(),
                key: key.to_json(),
                cause: Box::new(cause),
            },
            _ => self.database.refused(cause),
        }
    }
}

/// The statements for the rows of one stream, within a transaction.
struct Rows<'t> {
    connection: &'t Connection,
    layout: &'t Layout,
    stream: &'t str,
    upsert: CachedStatement<'t>,
    delete: CachedStatement<'t>,
    exists: CachedStatement<'t>,
    now: String,
    has_tombstones: bool,
}

impl<'t> Rows<'t> {
    fn open(
        transaction: &'t Transaction<'_>,
        layout: &'t Layout,
        now: Timestamp,
    ) -> rusqlite::Result<Rows<'t>> {
        let connection: &'t Connection = transaction;
        let has_tombstones = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM _sync_tombstones WHERE stream = ?1)")?
            .query_row([&*layout.stream], |row| row.get(0))?;
        Ok(Rows {
            connection,
            layout,
            stream: &layout.stream,
            upsert: connection.prepare_cached(&layout.upsert())?,
            delete: connection.prepare_cached(&layout.delete())?,
            exists: connection.prepare_cached(&layout.exists())?,
            now: now.to_string(),
            has_tombstones,
        })
    }

    fn apply(&mut self, key: &Key<'_>, change: &Change<'_>) -> rusqlite::Result<()> {
        if change.forced {
            self.delete(key, None)?;
        }
        match change.end {
            End::Upsert(payload) => self.write(key, payload, change.version),
            End::Delete => {
                if self.delete(key, Some(change.version))? || !self.exists.exists(texts(key))? {
                    self.leave_tombstone(key, change.version)?;
                }
                Ok(())
            }
        }
    }

    /// Deletes the children that are gone. As of the second before, so that a read of the same second may
    /// bring them back.
    fn sweep(&mut self, sweep: &Sweep) -> rusqlite::Result<()> {
        let keep = serde_json::to_string(&sweep.keep).unwrap_or_default();
        let fields = self.layout.key.len();
        let gone: Vec<Key<'_>> = self
            .connection
            .prepare_cached(&self.layout.sweep())?
            .query_map(params![sweep.parent, sweep.account, keep, sweep.version], |row| {
                let values = (0..fields).map(|at| row.get::<_, String>(at).map(Cow::Owned));
                Ok(Key(values.collect::<Result<_, _>>()?))
            })?
            .collect::<Result<_, _>>()?;
        for key in &gone {
            self.leave_tombstone(key, sweep.version.saturating_sub(1))?;
        }
        Ok(())
    }

    fn write(&mut self, key: &Key<'_>, payload: &RawJson, version: i64) -> rusqlite::Result<()> {
        if self.has_tombstones && !self.passes_tombstone(key, version)? {
            return Ok(());
        }
        let updated_at = Timestamp::from_unix_seconds(version).to_string();
        let own = [
            ToSqlOutput::Borrowed(ValueRef::Text(payload.as_bytes())),
            ToSqlOutput::Borrowed(ValueRef::Text(self.now.as_bytes())),
            ToSqlOutput::Borrowed(ValueRef::Text(updated_at.as_bytes())),
            ToSqlOutput::Owned(Value::Integer(version)),
        ];
        self.upsert.execute(params_from_iter(texts_iter(key).chain(own)))?;
        Ok(())
    }

    /// Deletes the row unless it is newer; with no version in any case. Answers whether there was one.
    fn delete(&mut self, key: &Key<'_>, version: Option<i64>) -> rusqlite::Result<bool> {
        let version = ToSqlOutput::Owned(version.map_or(Value::Null, Value::Integer));
        Ok(self.delete.execute(params_from_iter(texts_iter(key).chain([version])))? > 0)
    }

    fn leave_tombstone(&mut self, key: &Key<'_>, version: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO _sync_tombstones (stream, key, updated_at, deleted_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (stream, key) DO UPDATE SET updated_at = excluded.updated_at, \
                 deleted_at = excluded.deleted_at WHERE excluded.updated_at > updated_at",
            )?
            .execute(params![self.stream, key.to_json(), version, self.now])?;
        self.has_tombstones = true;
        Ok(())
    }

    /// Whether no delete of this second or a later one is known; an older one is forgotten.
    fn passes_tombstone(&mut self, key: &Key<'_>, version: i64) -> rusqlite::Result<bool> {
        let key = key.to_json();
        let deleted: Option<i64> = self
            .connection
            .prepare_cached("SELECT updated_at FROM _sync_tombstones WHERE stream = ?1 AND key = ?2")?
            .query_row([self.stream, &key], |row| row.get(0))
            .optional()?;
        match deleted {
            None => Ok(true),
            Some(deleted) if version <= deleted => Ok(false),
            Some(_) => {
                self.connection
                    .prepare_cached("DELETE FROM _sync_tombstones WHERE stream = ?1 AND key = ?2")?
                    .execute([self.stream, &key])?;
                Ok(true)
            }
        }
    }
}

fn texts_iter<'k>(key: &'k Key<'_>) -> impl Iterator<Item = ToSqlOutput<'k>> {
    key.0.iter().map(|value| ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())))
}

fn texts<'k>(key: &'k Key<'_>) -> impl rusqlite::Params + 'k {
    params_from_iter(texts_iter(key).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
