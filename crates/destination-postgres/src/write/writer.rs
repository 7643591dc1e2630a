//! One transaction per batch, or several where connections are free.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fail::fail_point;
use futures::future::try_join_all;
use protocol::{Batch, BatchWriter, ConfiguredCatalog, ConnectorError, RawJson, segments};
use state_postgres::{GLOBAL, StateTable};
use util_postgres::{Connection, Database, FailureKind, PostgresError, Transaction, retrying};

use super::culprit;
use super::parts::{self, Parts};
use super::plan::{Plan, Step, Upsert};
use super::stream::StreamWriter;
use super::upsert::{Setback, Way};
use crate::config::PostgresConfig;
use crate::failure::connector_error;
use crate::table::Table;

/// Writes batches into the tables of one schema.
pub(crate) struct Writer {
    database: Database,
    streams: HashMap<Arc<str>, StreamWriter>,
    states: StateTable,
    sync_id: Option<String>,
    /// Connections that rows may be written on.
    connections: usize,
    /// How many of them are in use.
    busy: AtomicUsize,
}

/// How many rows a batch changed.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    created: u64,
    updated: u64,
    deleted: u64,
    /// Older than a tombstone.
    buried: usize,
    /// Compared with what is stored.
    upserts: u64,
}

impl Writer {
    /// For the streams of a catalog; states are kept where there is a `sync_id`.
    pub(crate) fn new(
        database: Database,
        config: &PostgresConfig,
        catalog: &ConfiguredCatalog,
        sync_id: Option<String>,
    ) -> Result<Writer, ConnectorError> {
        let streams = catalog.streams.iter().map(|configured| {
            let table = Table::of(&config.schema, configured, config.projection)?;
            let writer = StreamWriter::of(&table, &configured.stream)?;
            Ok((Arc::clone(&configured.stream.name), writer))
        });
        Ok(Writer {
            database,
            streams: streams.collect::<Result<_, ConnectorError>>()?,
            states: StateTable::in_schema(&config.schema),
            sync_id,
            connections: config.connections.get(),
            busy: AtomicUsize::new(0),
        })
    }

    fn stream(&self, batch: &Batch) -> Result<&StreamWriter, ConnectorError> {
        self.streams.get(batch.stream()).ok_or_else(|| {
            let text = format!("stream \"{}\" is not in the catalog, so it has no table", batch.stream());
            ConnectorError::config(text)
        })
    }

    /// Connects, so that a wrong password or a server that is down is said before anything is read.
    pub(crate) async fn reach(&self) -> Result<(), ConnectorError> {
        let reached = retrying("connect", || self.database.connect()).await;
        reached.map(drop).map_err(connector_error)
    }

    /// Writes each part in a transaction.
    async fn try_commit(
        &self,
        stream: &StreamWriter,
        parts: &[Vec<Step>],
        state: Option<&RawJson>,
    ) -> Result<Counts, PostgresError> {
        let progress = Parts::of(parts.len());
        let written = parts.iter().map(|steps| self.try_part(stream, steps, state, &progress));
        let mut total = Counts::default();
        for counts in try_join_all(written).await? {
            total.created += counts.created;
            total.updated += counts.updated;
            total.deleted += counts.deleted;
            total.buried += counts.buried;
            total.upserts += counts.upserts;
        }
        Ok(total)
    }

    async fn try_part(
        &self,
        stream: &StreamWriter,
        steps: &[Step],
        state: Option<&RawJson>,
        progress: &Parts,
    ) -> Result<Counts, PostgresError> {
        let mut connection = self.database.connect().await?;
        let written = self.write_steps(&mut connection, stream, steps, state, progress).await;
        let written = written.map_err(|setback| match setback {
            Setback::Failed(error) => self.database.failure(error),
            Setback::Overtaken => PostgresError::new(
                FailureKind::Transient,
                format!("rows of {} changed while they were written", stream.table),
            ),
        });
        close_if_broken(connection, &written);
        written
    }

    async fn write_steps(
        &self,
        connection: &mut Connection,
        stream: &StreamWriter,
        steps: &[Step],
        state: Option<&RawJson>,
        progress: &Parts,
    ) -> Result<Counts, Setback> {
        let mut next = None;
        loop {
            let transaction = connection.transaction().await?;
            fail_point!("begun");
            let way = match next {
                Some(way) => way,
                None if stream.takes_copy(&transaction).await? => stream.trend().way(),
                None => Way::Careful,
            };
            match write_rows(&transaction, stream, steps, way).await {
                Ok(counts) => {
                    stream.trend().saw(counts.upserts, counts.created);
                    fail_point!("rows written");
                    let carries_state = progress.written().await;
                    if let Some((sync_id, state)) = self.sync_id.as_deref().zip(state) {
                        if carries_state {
                            self.states.save(&transaction, sync_id, &stream.fields.stream, state).await?;
                        } else {
                            // The state is written after this commits, and flushes the log up to there. A
                            // transaction that writes nothing would flush nothing.
                            transaction.batch_execute("SET LOCAL synchronous_commit TO off").await?;
                        }
                    }
                    fail_point!("state written");
                    transaction.commit().await?;
                    fail_point!("committed");
                    if !carries_state {
                        progress.committed();
                    }
                    return Ok(counts);
                }
                Err(setback) => {
                    let Some(safer) = way.safer().filter(|_| setback.asks_for_care()) else {
                        return Err(setback);
                    };
                    transaction.rollback().await?;
                    tracing::debug!(
                        stream = stream.fields.stream,
                        ?setback,
                        ?safer,
                        "the batch is written again"
                    );
                    if way.supposes() {
                        stream.trend().misled();
                    }
                    next = Some(safer);
                }
            }
        }
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

    /// The failure with the stream and, where it is the data's fault, the row and the column.
    async fn explain(
        &self,
        stream: &StreamWriter,
        parts: &[Vec<Step>],
        error: PostgresError,
    ) -> ConnectorError {
        let mut culprit = None;
        for step in parts.iter().flatten().filter(|_| error.kind() == FailureKind::Data) {
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

impl BatchWriter for Writer {
    type Prepared = Vec<Step>;

    fn prepare(&self, batch: &Batch) -> Result<Vec<Step>, ConnectorError> {
        let fields = &self.stream(batch)?.fields;
        let mut steps = Vec::new();
        for segment in segments(batch.records(), &fields.newer_than)? {
            let rows = segment.records.into_iter().map(|record| fields.row(record, unix_now()));
            steps.push(Step { plan: Plan::of(rows)?, sweeps: segment.sweeps });
        }
        Ok(steps)
    }

    async fn commit(&self, batch: Arc<Batch>, steps: Vec<Step>) -> Result<(), ConnectorError> {
        let stream = self.stream(&batch)?;
        let started = Instant::now();
        let use_of = Use::of(&self.busy, |free| parts::count(&steps, free), self.connections);
        let parts = parts::split(steps, use_of.connections);
        let what = format!("write stream \"{}\"", batch.stream());
        let commit = || self.try_commit(stream, &parts, batch.state());
        let counts = match self.database.retrying(&what, commit).await {
            Ok(counts) => counts,
            Err(error) => return Err(self.explain(stream, &parts, error).await),
        };
        tracing::debug!(
            stream = &**batch.stream(),
            records = batch.records().count(),
            bytes = batch.bytes(),
            parts = parts.len(),
            created = counts.created,
            updated = counts.updated,
            deleted = counts.deleted,
            skipped = counts.upserts - counts.created - counts.updated,
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

/// Does the steps one after the other.
async fn write_rows(
    transaction: &Transaction<'_>,
    stream: &StreamWriter,
    steps: &[Step],
    way: Way,
) -> Result<Counts, Setback> {
    let now = SystemTime::now();
    let mut counts = Counts::default();
    let mut any_buried = stream.lock(transaction, steps).await?;
    fail_point!("locked");
    for Step { plan, sweeps } in steps {
        let mut upserts: Vec<&Upsert> = plan.upserts.iter().collect();
        if any_buried && !upserts.is_empty() {
            let all = upserts.len();
            upserts = stream.unbury(transaction, upserts).await?;
            counts.buried += all - upserts.len();
        }
        if !plan.deletes.is_empty() {
            counts.deleted += stream.delete(transaction, &plan.deletes, now).await?;
            any_buried = true;
        }
        let upserted = stream.upsert(transaction, &upserts, now, way).await?;
        counts.upserts += upserts.len() as u64;
        counts.created += upserted.created;
        counts.updated += upserted.updated;
        let swept = stream.sweep(transaction, sweeps, now).await?;
        counts.deleted += swept;
        any_buried |= swept > 0;
    }
    Ok(counts)
}

/// Connections that a batch uses, until it is dropped.
struct Use<'a> {
    busy: &'a AtomicUsize,
    connections: usize,
}

impl<'a> Use<'a> {
    /// As many as `choose` takes of those that are free, at least one.
    fn of(busy: &'a AtomicUsize, choose: impl Fn(usize) -> usize, most: usize) -> Use<'a> {
        let free = most.saturating_sub(busy.load(Ordering::Relaxed));
        let connections = choose(free).max(1);
        busy.fetch_add(connections, Ordering::Relaxed);
        Use { busy, connections }
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(self.connections, Ordering::Relaxed);
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
