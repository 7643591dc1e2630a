//! The store under the current master key.

use super::{Vault, VaultError};
use crate::store::value::{Statement, Value};
use crate::store::{Db, StoreError};

/// Pipelines that are read, and written in one transaction.
const PAGE: i64 = 100;

/// Why the store is not under the current master key.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// A pipeline cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store cannot do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Wraps the data key of each pipeline by the current master key, and says for how many that was needed. Once it is done the
/// former keys may be forgotten. A pipeline that changes meanwhile is looked at again; processes that still seal with a
/// former key must be restarted with the new one first.
pub(crate) async fn rotate(db: &Db, vault: &Vault) -> Result<usize, RotationError> {
    let mut rewrapped = 0;
    loop {
        let (needed, done) = rotate_once(db, vault).await?;
        rewrapped += done;
        if needed == 0 {
            return Ok(rewrapped);
        }
    }
}

/// Whether the vault knows the master key of every pipeline: for the start, so that a missing key is told at once.
pub(crate) async fn check(db: &Db, vault: &Vault) -> Result<(), RotationError> {
    let mut pages = Pages::of(db);
    while let Some(page) = pages.next().await? {
        for (id, data_key) in &page {
            vault.master_key(id, data_key)?;
        }
    }
    Ok(())
}

/// One pass over all pipelines: how many were under another key, and how many of them were changed.
async fn rotate_once(db: &Db, vault: &Vault) -> Result<(usize, usize), RotationError> {
    let (mut needed, mut done) = (0, 0);
    let mut pages = Pages::of(db);
    while let Some(page) = pages.next().await? {
        let mut changes = Vec::new();
        for (id, data_key) in page {
            if let Some(rewrapped) = vault.rewrap_key(&id, &data_key)? {
                // What was sealed anew meanwhile has another data key.
                changes.push(Statement::new(
                    "update @pipelines set data_key = $2 where id = $1 and data_key = $3 returning id",
                    [Value::from(id), Value::from(rewrapped), Value::from(data_key)],
                ));
            }
        }
        if !changes.is_empty() {
            needed += changes.len();
            let answers = db.write(changes).await?;
            done += answers.iter().filter(|rows| !rows.is_empty()).count();
        }
    }
    Ok((needed, done))
}

/// All pipelines, a page at a time, each by its id and its wrapped data key.
pub(super) struct Pages<'a> {
    db: &'a Db,
    after: String,
}

impl Pages<'_> {
    pub(super) fn of(db: &Db) -> Pages<'_> {
        Pages { db, after: String::new() }
    }

    /// The next ones; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<(String, Vec<u8>)>>, StoreError> {
        let sql = "select id, data_key from @pipelines where id > $1 order by id limit $2";
        let values = [Value::from(self.after.as_str()), Value::from(PAGE)];
        let rows = self.db.read(Statement::new(sql, values)).await?;
        let page = rows.iter().map(|row| Ok((row.required_text(0)?, row.required_bytes(1)?)));
        let page = page.collect::<Result<Vec<_>, StoreError>>()?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        self.after.clone_from(last);
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{MasterKey, MasterKeys, Sealed};

    fn vault(keys: &[u8]) -> Vault {
        let mut keys = keys.iter().map(|byte| MasterKey::new(&[*byte; 32])).collect::<Vec<_>>();
        let current = keys.remove(0);
        Vault::new(MasterKeys { current, former: keys })
    }

    async fn add(db: &Db, vault: &Vault, id: &str) {
        let Sealed { sealed, data_key } = vault.seal(id, id.as_bytes()).unwrap();
        let sql = "insert into @pipelines (id, desired_status, source_type, destination_type, sealed, data_key, version, \
                   config_version, touched_at, created_at, updated_at) values ($1, 'active', 'a', 'b', $2, $3, 1, 1, 0, 0, 0)";
        db.write_one(Statement::new(sql, [Value::from(id), Value::from(sealed), Value::from(data_key)]))
            .await
            .unwrap();
    }

    async fn stored(db: &Db, id: &str) -> Sealed {
        let sql = "select sealed, data_key from @pipelines where id = $1";
        let rows = db.read(Statement::new(sql, [Value::from(id)])).await.unwrap();
        Sealed { sealed: rows[0].required_bytes(0).unwrap(), data_key: rows[0].required_bytes(1).unwrap() }
    }

    async fn rotates(db: &Db) {
        let (old, both, new) = (vault(&[1]), vault(&[2, 1]), vault(&[2]));
        let ids: Vec<String> = (0..PAGE + 5).map(|number| format!("pipe_{number}")).collect();
        for id in &ids {
            add(db, &old, id).await;
        }
        add(db, &new, "pipe_new").await;
        check(db, &both).await.unwrap();
        assert!(matches!(check(db, &new).await, Err(RotationError::Vault(VaultError::UnknownKey { .. }))));
        assert_eq!(rotate(db, &both).await.unwrap(), ids.len());
        assert_eq!(rotate(db, &both).await.unwrap(), 0);
        check(db, &new).await.unwrap();
        for id in &ids {
            assert_eq!(new.open(id, &stored(db, id).await).unwrap().as_slice(), id.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_file_is_rotated() {
        let root = tempfile::tempdir().unwrap();
        rotates(&Db::file(&root.path().join("service.db")).await.unwrap()).await;
    }

    #[tokio::test]
    async fn a_database_is_rotated() {
        rotates(&Db::postgres(&test_utils::postgres::shared_database().await.into()).await.unwrap()).await;
    }
}
