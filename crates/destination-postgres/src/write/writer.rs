//! One transaction per batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures::future::try_join;
use protocol::{Batch, BatchWriter, ConfiguredCatalog, ConnectorError, RawJson};
use state_postgres::{GLOBAL, StateTable};
use tokio_postgres::types::ToSql;
use util_postgres::{Connection, Database, FailureKind, PostgresError, Transaction, retrying};

use super::culprit;
use super::plan::{Delete, Plan, Upsert};
use super::row::Fields;
use super::statements::Statements;
use crate::failure::connector_error;
use crate::table::Table;

/// Writes batches into the tables of one schema.
pub(crate) struct Writer {
    database: Database,
    streams: HashMap<Arc<str>, StreamWriter>,
    states: StateTable,
    sync_id: Option<String>,
}

/// What the writer knows of one stream.
pub(super) struct StreamWriter {
    pub(super) fields: Fields,
    pub(super) table: String,
    pub(super) statements: Statements,
    /// Writers of rows share this lock, writers of deletions have it alone: a row that is older
    /// than a deletion must not slip in between its look at the tombstones and its commit.
    lock: String,
}

/// How many rows a batch changed.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    created: i64,
    updated: i64,
    deleted: u64,
    /// Older than a tombstone.
    buried: usize,
}

impl Writer {
    /// For the streams of a catalog; states are kept where there is a `sync_id`.
    pub(crate) fn new(
        database: Database,
        schema: &str,
        catalog: &ConfiguredCatalog,
        sync_id: Option<String>,
    ) -> Result<Writer, ConnectorError> {
        let streams = catalog.streams.iter().map(|configured| {
            let table = Table::of(schema, configured)?;
            let writer = StreamWriter {
                fields: Fields::of(&configured.stream)?,
                statements: Statements::of(&table, &configured.stream.newer_than_field),
                lock: format!("sync-engine write {}", table.qualified()),
                table: table.qualified(),
            };
            Ok((Arc::clone(&configured.stream.name), writer))
        });
        let streams = streams.collect::<Result<_, ConnectorError>>()?;
        Ok(Writer { database, streams, states: StateTable::in_schema(schema), sync_id })
    }

    /// Connects, so that a wrong password or a server that is down is said before anything is read.
    pub(crate) async fn reach(&self) -> Result<(), ConnectorError> {
        let reached = retrying("connect", || self.database.connect()).await;
        reached.map(drop).map_err(connector_error)
    }

    async fn try_commit(
        &self,
        stream: &StreamWriter,
        plan: &Plan,
        state: Option<&RawJson>,
    ) -> Result<Counts, PostgresError> {
        let mut connection = self.database.connect().await?;
        let counts = self.write_plan(&mut connection, stream, plan, state).await;
        let counts = counts.map_err(|error| self.database.failure(error));
        close_if_broken(connection, &counts);
        counts
    }

    async fn write_plan(
        &self,
        connection: &mut Connection,
        stream: &StreamWriter,
        plan: &Plan,
        state: Option<&RawJson>,
    ) -> Result<Counts, tokio_postgres::Error> {
        let transaction = connection.transaction().await?;
        let now = SystemTime::now();
        let mut counts = Counts::default();
        let any_buried = stream.lock(&transaction, plan).await?;
        let mut upserts: Vec<&Upsert> = plan.upserts.iter().collect();
        if any_buried && !upserts.is_empty() {
            let all = upserts.len();
            upserts = stream.unbury(&transaction, upserts).await?;
            counts.buried = all - upserts.len();
        }
        if !plan.deletes.is_empty() {
            counts.deleted = stream.delete(&transaction, &plan.deletes, now).await?;
        }
        let save = async {
            match (&self.sync_id, state) {
                (Some(sync_id), Some(state)) => {
                    self.states.save(&transaction, sync_id, &stream.fields.stream, state).await
                }
                _ => Ok(()),
            }
        };
        ((counts.created, counts.updated), ()) =
            try_join(stream.upsert(&transaction, &upserts, now), save).await?;
        transaction.commit().await?;
        Ok(counts)
    }

    async fn try_commit_global(&self, sync_id: &str, state: &RawJson) -> Result<(), PostgresError> {
        let mut connection = self.database.connect().await?;
        let saved = async {
            let transaction = connection.transaction().await?;
            self.states.save(&transaction, sync_id, GLOBAL, state).await?;
            transaction.commit().await
        };
        let saved = saved.await.map_err(|error| self.database.failure(error));
        close_if_broken(connection, &saved);
        saved
    }
}

impl BatchWriter for Writer {
    async fn commit(&self, batch: Arc<Batch>) -> Result<(), ConnectorError> {
        let stream = self.streams.get(batch.stream()).ok_or_else(|| {
            let text = format!("stream \"{}\" is not in the catalog, so it has no table", batch.stream());
            ConnectorError::config(text)
        })?;
        let started = Instant::now();
        let plan = Plan::of(batch.records().map(|record| stream.fields.row(record, unix_now())))?;
        let what = format!("write stream \"{}\"", batch.stream());
        let commit = || self.try_commit(stream, &plan, batch.state());
        let counts = match retrying(&what, commit).await {
            Ok(counts) => counts,
            Err(error) => return Err(self.explain(stream, &plan, error).await),
        };
        tracing::debug!(
            stream = &**batch.stream(),
            records = batch.records().count(),
            bytes = batch.bytes(),
            created = counts.created,
            updated = counts.updated,
            deleted = counts.deleted,
            skipped = plan.upserts.len() as i64 - counts.created - counts.updated,
            buried = counts.buried,
            elapsed = ?started.elapsed(),
            "batch written"
        );
        Ok(())
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        let Some(sync_id) = &self.sync_id else { return Ok(()) };
        let saved = retrying("write the global state", || self.try_commit_global(sync_id, &state)).await;
        saved.map_err(connector_error)
    }
}

impl Writer {
    /// The failure with the stream and, where it is the data's fault, the row and the column.
    async fn explain(&self, stream: &StreamWriter, plan: &Plan, error: PostgresError) -> ConnectorError {
        let culprit = match error.kind() {
            FailureKind::Data => culprit::find(&self.database, stream, &plan.upserts).await,
            _ => None,
        };
        let place = culprit.map_or_else(String::new, |culprit| format!("{culprit}: "));
        let text = format!("stream \"{}\" into {}: {place}{error}", stream.fields.stream, stream.table);
        connector_error(error.with_message(text))
    }
}

impl StreamWriter {
    /// Takes the stream's lock. Answers whether there are tombstones that upserts must respect.
    async fn lock(&self, transaction: &Transaction<'_>, plan: &Plan) -> Result<bool, tokio_postgres::Error> {
        let sql = if plan.deletes.is_empty() {
            "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))"
        } else {
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
        };
        let lock = transaction.prepare_cached(sql).await?;
        let any_buried = transaction.prepare_cached(&self.statements.any_buried).await?;
        // Sent together and in this order. Two statements on purpose: the second sees what was
        // committed while the first waited.
        let parameters: ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) =
            ([&self.lock], [&self.fields.stream]);
        let (_, any_buried) = try_join(
            transaction.query_one(&lock, &parameters.0),
            transaction.query_one(&any_buried, &parameters.1),
        )
        .await?;
        any_buried.try_get(0)
    }

    /// Leaves out the rows that are not newer than their tombstone, and removes the tombstones of the others.
    async fn unbury<'p>(
        &self,
        transaction: &Transaction<'_>,
        upserts: Vec<&'p Upsert>,
    ) -> Result<Vec<&'p Upsert>, tokio_postgres::Error> {
        let keys: Vec<String> = upserts.iter().map(|upsert| upsert.key.as_tombstone()).collect();
        let statement = transaction.prepare_cached(&self.statements.buried).await?;
        let rows = transaction.query(&statement, &[&self.fields.stream, &keys]).await?;
        if rows.is_empty() {
            return Ok(upserts);
        }
        let buried: HashMap<String, i64> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, tokio_postgres::Error>>()?;
        let newer =
            |key: &String, upsert: &Upsert| buried.get(key).is_none_or(|version| upsert.version > *version);
        let (keys, upserts): (Vec<String>, Vec<&Upsert>) =
            keys.into_iter().zip(upserts).filter(|(key, upsert)| newer(key, upsert)).unzip();
        let risen: Vec<String> = keys.into_iter().filter(|key| buried.contains_key(key)).collect();
        if !risen.is_empty() {
            let statement = transaction.prepare_cached(&self.statements.unbury).await?;
            transaction.execute(&statement, &[&self.fields.stream, &risen]).await?;
        }
        Ok(upserts)
    }

    async fn delete(
        &self,
        transaction: &Transaction<'_>,
        deletes: &[Delete],
        now: SystemTime,
    ) -> Result<u64, tokio_postgres::Error> {
        let versions: Vec<i64> = deletes.iter().map(|delete| delete.version).collect();
        let unconditional: Vec<bool> = deletes.iter().map(|delete| delete.unconditional).collect();
        let tombstones: Vec<String> = deletes.iter().map(|delete| delete.key.as_tombstone()).collect();
        let keys: Vec<Vec<&str>> = (0..self.fields.key.len())
            .map(|at| deletes.iter().map(|delete| &*delete.key.0[at]).collect())
            .collect();
        let keys = || keys.iter().map(|values| values as &(dyn ToSql + Sync));

        let statement = transaction.prepare_cached(&self.statements.delete).await?;
        let own: [&(dyn ToSql + Sync); 2] = [&versions, &unconditional];
        let deleted =
            transaction.execute(&statement, &own.into_iter().chain(keys()).collect::<Vec<_>>()).await?;

        let statement = transaction.prepare_cached(&self.statements.bury).await?;
        let own: [&(dyn ToSql + Sync); 4] = [&self.fields.stream, &now, &tombstones, &versions];
        transaction.execute(&statement, &own.into_iter().chain(keys()).collect::<Vec<_>>()).await?;
        Ok(deleted)
    }

    /// Answers how many rows are new and how many were changed.
    pub(super) async fn upsert(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<(i64, i64), tokio_postgres::Error> {
        if upserts.is_empty() {
            return Ok((0, 0));
        }
        let payloads: Vec<&str> = upserts.iter().map(|upsert| upsert.payload.as_str()).collect();
        let versions: Vec<i64> = upserts.iter().map(|upsert| upsert.version).collect();
        let statement = transaction.prepare_cached(&self.statements.upsert).await?;
        let row = transaction.query_one(&statement, &[&payloads, &versions, &now]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }
}

/// A connection on which something passing went wrong is not used again: its transaction, whatever
/// became of it, is over, and the next try gets another.
fn close_if_broken<T>(connection: Connection, result: &Result<T, PostgresError>) {
    if result.as_ref().is_err_and(PostgresError::is_transient) {
        drop(Connection::take(connection));
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
