//! What the writer knows of one stream, and its lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join;
use protocol::{ConnectorError, Stream};
use tokio::sync::OnceCell;
use tokio_postgres::types::Type;
use util_postgres::Transaction;

use super::plan::Step;
use super::row::{Fields, Key};
use super::statements::Statements;
use super::trend::Trend;
use super::value::Parameter;
use crate::table::Table;

/// How the rows of one stream are written.
pub(super) struct StreamWriter {
    pub(super) fields: Fields,
    pub(super) table: String,
    pub(super) statements: Statements,
    /// Writers of rows share this lock, writers of deletions have it alone: a row that is older
    /// than a deletion must not slip in between its look at the tombstones and its commit.
    lock: String,
    /// Whether the table takes `COPY`, once it was asked.
    takes_copy: OnceCell<bool>,
    trend: Mutex<Trend>,
}

impl StreamWriter {
    /// For a stream and its table.
    pub(super) fn of(table: &Table, stream: &Stream) -> Result<StreamWriter, ConnectorError> {
        Ok(StreamWriter {
            fields: Fields::of(stream)?,
            statements: Statements::of(table, &stream.newer_than_field),
            lock: format!("sync-engine write {}", table.qualified()),
            table: table.qualified(),
            takes_copy: OnceCell::new(),
            trend: Mutex::default(),
        })
    }

    /// Whether rows may be copied: not where row-level security holds for us. Asked beforehand, because a refusal leaves
    /// the driver out of step with the server.
    pub(super) async fn takes_copy(
        &self,
        transaction: &Transaction<'_>,
    ) -> Result<bool, tokio_postgres::Error> {
        let ask = || async {
            let sql = "SELECT NOT row_security_active(($1::text)::regclass)";
            transaction.query_typed_one(sql, &[(&self.table, Type::TEXT)]).await?.try_get(0)
        };
        self.takes_copy.get_or_try_init(ask).await.copied()
    }

    /// What the last batches were.
    pub(super) fn trend(&self) -> MutexGuard<'_, Trend> {
        self.trend.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the stream's lock. Answers whether there are tombstones that upserts must respect.
    pub(super) async fn lock(
        &self,
        transaction: &Transaction<'_>,
        steps: &[Step],
    ) -> Result<bool, tokio_postgres::Error> {
        let sql = if steps.iter().all(Step::only_upserts) {
            "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))"
        } else {
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
        };
        // Sent together and in this order. Two statements on purpose: the second sees what was
        // committed while the first waited. Where both fail, the first says why.
        let name: [Parameter<'_>; 1] = [(&self.lock, Type::TEXT)];
        let stream: [Parameter<'_>; 1] = [(&self.fields.stream, Type::TEXT)];
        let (locked, any_buried) = join(
            transaction.query_typed_one(sql, &name),
            transaction.query_typed_one(&self.statements.any_buried, &stream),
        )
        .await;
        locked?;
        any_buried?.try_get(0)
    }

    /// The keys as one array per key field.
    pub(super) fn columns<'k>(&self, keys: &[&'k Key]) -> Vec<Vec<&'k str>> {
        (0..self.fields.key.len()).map(|at| keys.iter().map(|key| &*key.0[at]).collect()).collect()
    }
}
