//! One transaction per batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures::future::try_join;
use protocol::{Batch, BatchWriter, ConfiguredCatalog, ConnectorError, RawJson, Sweep, segments};
use state_postgres::{GLOBAL, StateTable};
use tokio_postgres::types::ToSql;
use util_postgres::{Connection, Database, FailureKind, PostgresError, Transaction, retrying};

use super::culprit;
use super::plan::{Delete, Plan, Upsert};
use super::row::{Fields, Key};
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

/// A part of a batch: what to write, and what to sweep then.
struct Step {
    plan: Plan,
    sweeps: Vec<Sweep>,
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
        steps: &[Step],
        state: Option<&RawJson>,
    ) -> Result<Counts, PostgresError> {
        let mut connection = self.database.connect().await?;
        let counts = self.write_steps(&mut connection, stream, steps, state).await;
        let counts = counts.map_err(|error| self.database.failure(error));
        close_if_broken(connection, &counts);
        counts
    }

    async fn write_steps(
        &self,
        connection: &mut Connection,
        stream: &StreamWriter,
        steps: &[Step],
        state: Option<&RawJson>,
    ) -> Result<Counts, tokio_postgres::Error> {
        let transaction = connection.transaction().await?;
        let now = SystemTime::now();
        let mut counts = Counts::default();
        let mut any_buried = stream.lock(&transaction, steps).await?;
        let write = async {
            for Step { plan, sweeps } in steps {
                let mut upserts: Vec<&Upsert> = plan.upserts.iter().collect();
                if any_buried && !upserts.is_empty() {
                    let all = upserts.len();
                    upserts = stream.unbury(&transaction, upserts).await?;
                    counts.buried += all - upserts.len();
                }
                if !plan.deletes.is_empty() {
                    counts.deleted += stream.delete(&transaction, &plan.deletes, now).await?;
                    any_buried = true;
                }
                let (created, updated) = stream.upsert(&transaction, &upserts, now).await?;
                counts.created += created;
                counts.updated += updated;
                let swept = stream.sweep(&transaction, sweeps, now).await?;
                counts.deleted += swept;
                any_buried |= swept > 0;
            }
            Ok(())
        };
        let save = async {
            match (&self.sync_id, state) {
                (Some(sync_id), Some(state)) => {
                    self.states.save(&transaction, sync_id, &stream.fields.stream, state).await
                }
                _ => Ok(()),
            }
        };
        try_join(write, save).await?;
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
        let mut steps = Vec::new();
        for segment in segments(batch.records(), &stream.fields.newer_than)? {
            let rows = segment.records.into_iter().map(|record| stream.fields.row(record, unix_now()));
            steps.push(Step { plan: Plan::of(rows)?, sweeps: segment.sweeps });
        }
        let what = format!("write stream \"{}\"", batch.stream());
        let commit = || self.try_commit(stream, &steps, batch.state());
        let counts = match self.database.retrying(&what, commit).await {
            Ok(counts) => counts,
            Err(error) => return Err(self.explain(stream, &steps, error).await),
        };
        let upserts: usize = steps.iter().map(|step| step.plan.upserts.len()).sum();
        tracing::debug!(
            stream = &**batch.stream(),
            records = batch.records().count(),
            bytes = batch.bytes(),
            created = counts.created,
            updated = counts.updated,
            deleted = counts.deleted,
            skipped = upserts as i64 - counts.created - counts.updated,
            buried = counts.buried,
            elapsed = ?started.elapsed(),
            "batch written"
        );
        Ok(())
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        let Some(sync_id) = &self.sync_id else { return Ok(()) };
        let save = || self.try_commit_global(sync_id, &state);
        let saved = self.database.retrying("write the global state", save).await;
        saved.map_err(connector_error)
    }
}

impl Writer {
    /// The failure with the stream and, where it is the data's fault, the row and the column.
    async fn explain(&self, stream: &StreamWriter, steps: &[Step], error: PostgresError) -> ConnectorError {
        let mut culprit = None;
        for step in steps.iter().filter(|_| error.kind() == FailureKind::Data) {
            culprit = culprit::find(&self.database, stream, &step.plan.upserts).await;
            if culprit.is_some() {
                break;
            }
        }
        let place = culprit.map_or_else(String::new, |culprit| format!("{culprit}: "));
        let text = format!("stream \"{}\" into {}: {place}{error}", stream.fields.stream, stream.table);
        connector_error(error.with_message(text))
    }
}

impl StreamWriter {
    /// Takes the stream's lock. Answers whether there are tombstones that upserts must respect.
    async fn lock(
        &self,
        transaction: &Transaction<'_>,
        steps: &[Step],
    ) -> Result<bool, tokio_postgres::Error> {
        let sql = if steps.iter().all(|step| step.plan.deletes.is_empty() && step.sweeps.is_empty()) {
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
        let keys: Vec<&Key> = deletes.iter().map(|delete| &delete.key).collect();
        let statement = transaction.prepare_cached(&self.statements.delete).await?;
        let columns = self.columns(&keys);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&versions, &unconditional];
        parameters.extend(columns.iter().map(|values| values as &(dyn ToSql + Sync)));
        let deleted = transaction.execute(&statement, &parameters).await?;
        self.bury(transaction, &keys, &versions, now).await?;
        Ok(deleted)
    }

    /// Deletes the children that are gone. As of the second before, so that a read of the same second may
    /// bring them back. Answers how many they were.
    async fn sweep(
        &self,
        transaction: &Transaction<'_>,
        sweeps: &[Sweep],
        now: SystemTime,
    ) -> Result<u64, tokio_postgres::Error> {
        if sweeps.is_empty() {
            return Ok(0);
        }
        let parents: Vec<&str> = sweeps.iter().map(|sweep| &*sweep.parent).collect();
        let accounts: Vec<&str> = sweeps.iter().map(|sweep| &*sweep.account).collect();
        let versions: Vec<i64> = sweeps.iter().map(|sweep| sweep.version).collect();
        let (places, kept): (Vec<i64>, Vec<&str>) = (1..)
            .zip(sweeps)
            .flat_map(|(place, sweep)| sweep.keep.iter().map(move |id| (place, &**id)))
            .unzip();
        let statement = transaction.prepare_cached(&self.statements.sweep).await?;
        let rows = transaction.query(&statement, &[&parents, &accounts, &versions, &places, &kept]).await?;
        let mut versions: Vec<i64> = Vec::new();
        let mut keys = Vec::new();
        for row in &rows {
            versions.push(row.try_get::<_, i64>(0)?.saturating_sub(1));
            keys.push(Key((1..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?));
        }
        if !keys.is_empty() {
            self.bury(transaction, &keys.iter().collect::<Vec<_>>(), &versions, now).await?;
        }
        Ok(rows.len() as u64)
    }

    /// Leaves tombstones for keys that have no row.
    async fn bury(
        &self,
        transaction: &Transaction<'_>,
        keys: &[&Key],
        versions: &[i64],
        now: SystemTime,
    ) -> Result<(), tokio_postgres::Error> {
        let tombstones: Vec<String> = keys.iter().map(|key| key.as_tombstone()).collect();
        let statement = transaction.prepare_cached(&self.statements.bury).await?;
        let columns = self.columns(keys);
        let mut parameters: Vec<&(dyn ToSql + Sync)> =
            vec![&self.fields.stream, &now, &tombstones, &versions];
        parameters.extend(columns.iter().map(|values| values as &(dyn ToSql + Sync)));
        transaction.execute(&statement, &parameters).await.map(drop)
    }

    /// The keys as one array per key field.
    fn columns<'k>(&self, keys: &[&'k Key]) -> Vec<Vec<&'k str>> {
        (0..self.fields.key.len()).map(|at| keys.iter().map(|key| &*key.0[at]).collect()).collect()
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
