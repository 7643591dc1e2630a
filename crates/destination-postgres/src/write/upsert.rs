//! Writing rows where nothing newer is stored.
//!
//! Most rows are new, or are stored already as they are. So the quick way asks which keys are stored, copies the
//! rows of the others, and compares the rest before it writes anything: a row that did not change is neither locked
//! nor written, and of one that was merely read again only the times are. It supposes that nobody else
//! writes these rows meanwhile; where somebody did, the batch is written again in the careful way, one
//! statement that is right whoever writes beside it.

use std::collections::HashSet;
use std::time::SystemTime;

use fail::fail_point;
use futures::pin_mut;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use util_postgres::Transaction;

use super::plan::Upsert;
use super::row::{Key, MAX_KEY_FIELDS};
use super::statements::Add;
use super::stream::StreamWriter;
use super::value::Json;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Quick,
    Careful,
}

/// How many rows are new, and how many were changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upserted {
    pub(super) created: i64,
    pub(super) updated: i64,
}

/// Why a transaction was given up.
#[derive(Debug)]
pub(super) enum Setback {
    Failed(tokio_postgres::Error),
    /// Somebody else wrote the same rows.
    Overtaken,
}

impl From<tokio_postgres::Error> for Setback {
    fn from(error: tokio_postgres::Error) -> Setback {
        Setback::Failed(error)
    }
}

impl Setback {
    /// Whether the careful way may succeed where the quick one did not.
    pub(super) fn asks_for_care(&self) -> bool {
        match self {
            Setback::Overtaken => true,
            Setback::Failed(error) => error.code() == Some(&SqlState::UNIQUE_VIOLATION),
        }
    }
}

impl StreamWriter {
    /// Writes the rows that nothing newer is stored of.
    pub(super) async fn upsert(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
        way: Way,
    ) -> Result<Upserted, Setback> {
        if upserts.is_empty() {
            return Ok(Upserted::default());
        }
        if way == Way::Careful {
            return Ok(self.merge(transaction, upserts, now).await?);
        }
        let stored = self.stored(transaction, upserts).await?;
        let (stored, new): (Vec<_>, Vec<_>) =
            (0..).zip(upserts.iter().copied()).partition(|(place, _)| stored.contains(place));
        let [stored, new] =
            [stored, new].map(|rows| rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
        let created = self.add(transaction, &new, now).await?;
        fail_point!("new rows added");
        let updated = self.revise(transaction, &stored, now).await?;
        Ok(Upserted { created, updated })
    }

    /// The places of the rows whose keys are stored.
    async fn stored(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
    ) -> Result<HashSet<i64>, tokio_postgres::Error> {
        let statement = transaction.prepare_cached(&self.statements.upserts.stored).await?;
        let keys: Vec<&Key> = upserts.iter().map(|upsert| &upsert.key).collect();
        let columns = self.columns(&keys);
        let parameters: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|values| values as &(dyn ToSql + Sync)).collect();
        let rows = transaction.query(&statement, &parameters).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// Adds rows whose keys are not stored. Answers how many.
    async fn add(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<i64, tokio_postgres::Error> {
        if upserts.is_empty() {
            return Ok(0);
        }
        let (sql, types) = match &self.statements.upserts.add {
            Add::Copy(sql, types) => (sql, types),
            Add::Insert(sql) => {
                let (payloads, versions) = arrays(upserts);
                let statement = transaction.prepare_cached(sql).await?;
                return Ok(transaction
                    .execute(&statement, &[&payloads, &versions, &now])
                    .await?
                    .cast_signed());
            }
        };
        let statement = transaction.prepare_cached(sql).await?;
        let sink = transaction.copy_in(&statement).await?;
        let writer = BinaryCopyInWriter::new(sink, types);
        pin_mut!(writer);
        for upsert in upserts {
            let (json, moment) = (upsert.json(), upsert.moment());
            let mut values: [&(dyn ToSql + Sync); 3 + MAX_KEY_FIELDS] = [&json; 3 + MAX_KEY_FIELDS];
            values[1..3].copy_from_slice(&[&now, &moment]);
            for (value, key) in values[3..].iter_mut().zip(&upsert.key.0) {
                *value = key;
            }
            writer.as_mut().write(&values[..types.len()]).await?;
            fail_point!("row copied");
        }
        Ok(writer.finish().await?.cast_signed())
    }

    /// Writes over stored rows what is newer or different. Answers how many rows changed.
    async fn revise(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<i64, Setback> {
        if upserts.is_empty() {
            return Ok(0);
        }
        let (payloads, versions) = arrays(upserts);
        let keys: Vec<&Key> = upserts.iter().map(|upsert| &upsert.key).collect();
        let columns = self.columns(&keys);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&payloads, &versions, &now];
        parameters.extend(columns.iter().map(|values| values as &(dyn ToSql + Sync)));
        let statement = transaction.prepare_cached(&self.statements.upserts.revise).await?;
        let row = transaction.query_one(&statement, &parameters).await?;
        let (there, due, done): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if there != upserts.len() as i64 || due != done {
            return Err(Setback::Overtaken);
        }
        Ok(done)
    }

    /// The careful way.
    async fn merge(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<Upserted, tokio_postgres::Error> {
        let (payloads, versions) = arrays(upserts);
        let statement = transaction.prepare_cached(&self.statements.upserts.merge).await?;
        let row = transaction.query_one(&statement, &[&payloads, &versions, &now]).await?;
        Ok(Upserted { created: row.try_get(0)?, updated: row.try_get(1)? })
    }
}

/// Payloads and versions as arrays.
fn arrays<'p>(upserts: &[&'p Upsert]) -> (Vec<Json<'p>>, Vec<i64>) {
    upserts.iter().map(|upsert| (upsert.json(), upsert.version)).unzip()
}
