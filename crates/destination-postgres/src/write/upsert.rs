//! Writing rows where nothing newer is stored.
//!
//! Most rows are new, or are stored already as they are. So the quick way asks which keys are stored, copies the
//! rows of the others, and compares the rest before it writes anything: a row that did not change is neither locked
//! nor written, and of one that was merely read again only the times are. Where the batches before were all new or all
//! stored it does not even ask ([`super::trend`]). It supposes that nobody else writes these rows meanwhile; where
//! somebody did, the batch is written again in the careful way, one statement that is right whoever writes beside it.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use fail::fail_point;
use futures::{SinkExt, pin_mut};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use util_postgres::Transaction;

use super::copy::Encoder;
use super::plan::Upsert;
use super::row::Key;
use super::statements::Add;
use super::stream::StreamWriter;
use super::value::{Json, Parameter};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As if no key were stored.
    SupposedNew,
    /// As if every key were stored.
    SupposedStored,
    /// After asking which keys are stored.
    Asking,
    /// Right whoever writes beside it.
    Careful,
}

impl Way {
    /// Whether it guesses what is stored.
    pub(super) fn supposes(self) -> bool {
        matches!(self, Way::SupposedNew | Way::SupposedStored)
    }

    /// The way that takes less for granted.
    pub(super) fn safer(self) -> Option<Way> {
        match self {
            Way::SupposedNew | Way::SupposedStored => Some(Way::Asking),
            Way::Asking => Some(Way::Careful),
            Way::Careful => None,
        }
    }
}

/// How many rows are new, and how many were changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upserted {
    pub(super) created: u64,
    pub(super) updated: u64,
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
    /// Whether a safer way may succeed.
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
        let (stored, new) = match way {
            Way::Careful => return Ok(self.merge(transaction, upserts, now).await?),
            Way::SupposedNew => (Vec::new(), upserts.to_vec()),
            Way::SupposedStored => (upserts.to_vec(), Vec::new()),
            Way::Asking => self.stored(transaction, upserts).await?,
        };
        let created = self.add(transaction, &new, now).await?;
        fail_point!("new rows added");
        let updated = self.revise(transaction, &stored, now).await?;
        Ok(Upserted { created, updated })
    }

    /// The rows whose keys are stored, and the others.
    async fn stored<'p>(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&'p Upsert],
    ) -> Result<(Vec<&'p Upsert>, Vec<&'p Upsert>), tokio_postgres::Error> {
        let keys: Vec<&Key> = upserts.iter().map(|upsert| &upsert.key).collect();
        let columns = self.columns(&keys);
        let parameters: Vec<Parameter<'_>> = columns.iter().map(texts).collect();
        let rows = transaction.query_typed(&self.statements.upserts.stored, &parameters).await?;
        let places: HashSet<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let (stored, new): (Vec<_>, Vec<_>) =
            (0..).zip(upserts.iter().copied()).partition(|(place, _)| places.contains(place));
        let rows_of = |found: Vec<(i64, &'p Upsert)>| found.into_iter().map(|(_, row)| row).collect();
        Ok((rows_of(stored), rows_of(new)))
    }

    /// Adds rows whose keys are not stored. Answers how many.
    async fn add(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<u64, tokio_postgres::Error> {
        if upserts.is_empty() {
            return Ok(0);
        }
        let (sql, keys) = match &self.statements.upserts.add {
            Add::Copy { sql, keys } => (sql, keys),
            Add::Insert(sql) => {
                let (payloads, versions) = arrays(upserts);
                let statement = transaction.prepare_cached(sql).await?;
                return transaction.execute(&statement, &[&payloads, &versions, &now]).await;
            }
        };
        let statement = transaction.prepare_cached(sql).await?;
        let sink = transaction.copy_in(&statement).await?;
        pin_mut!(sink);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut encoder = Encoder::new(*keys, i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        for upsert in upserts {
            if let Some(piece) = encoder.row(upsert) {
                sink.feed(piece).await?;
            }
            fail_point!("row copied");
        }
        sink.feed(encoder.end()).await?;
        sink.finish().await
    }

    /// Writes over stored rows what is newer or different. Answers how many rows changed.
    async fn revise(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<u64, Setback> {
        if upserts.is_empty() {
            return Ok(0);
        }
        let (payloads, versions) = arrays(upserts);
        let keys: Vec<&Key> = upserts.iter().map(|upsert| &upsert.key).collect();
        let columns = self.columns(&keys);
        let mut parameters = rows(&payloads, &versions, &now).to_vec();
        parameters.extend(columns.iter().map(texts));
        let row = transaction.query_typed_one(&self.statements.upserts.revise, &parameters).await?;
        let (there, due, done): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if there != upserts.len() as i64 || due != done {
            return Err(Setback::Overtaken);
        }
        Ok(done.cast_unsigned())
    }

    /// The careful way.
    async fn merge(
        &self,
        transaction: &Transaction<'_>,
        upserts: &[&Upsert],
        now: SystemTime,
    ) -> Result<Upserted, tokio_postgres::Error> {
        let (payloads, versions) = arrays(upserts);
        let parameters = rows(&payloads, &versions, &now);
        let row = transaction.query_typed_one(&self.statements.upserts.merge, &parameters).await?;
        let (created, updated): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Upserted { created: created.cast_unsigned(), updated: updated.cast_unsigned() })
    }
}

/// An array of texts.
fn texts(values: &(impl ToSql + Sync)) -> Parameter<'_> {
    (values, Type::TEXT_ARRAY)
}

/// Arrays of payloads and of versions, and the time of writing.
fn rows<'a>(
    payloads: &'a (impl ToSql + Sync),
    versions: &'a (impl ToSql + Sync),
    now: &'a SystemTime,
) -> [Parameter<'a>; 3] {
    [(payloads, Type::JSONB_ARRAY), (versions, Type::INT8_ARRAY), (now, Type::TIMESTAMPTZ)]
}

/// Payloads and versions as arrays.
fn arrays<'p>(upserts: &[&'p Upsert]) -> (Vec<Json<'p>>, Vec<i64>) {
    upserts.iter().map(|upsert| (upsert.json(), upsert.version)).unzip()
}
