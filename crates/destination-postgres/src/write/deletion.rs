//! Deleting rows, and the tombstones that keep older writes from undoing it.

use std::collections::HashMap;
use std::time::SystemTime;

use fail::fail_point;
use protocol::Sweep;
use tokio_postgres::types::ToSql;
use util_postgres::Transaction;

use super::plan::{Delete, Upsert};
use super::row::Key;
use super::stream::StreamWriter;

impl StreamWriter {
    /// Leaves out the rows that are not newer than their tombstone, and removes the tombstones of the others.
    pub(super) async fn unbury<'p>(
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

    pub(super) async fn delete(
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
        fail_point!("rows deleted");
        self.bury(transaction, &keys, &versions, now).await?;
        Ok(deleted)
    }

    /// Deletes the children that are gone. As of the second before, so that a read of the same second may
    /// bring them back. Answers how many they were.
    pub(super) async fn sweep(
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
}
