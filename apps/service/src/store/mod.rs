//! What the service keeps: pipelines, how far each is, who works on it, what was delivered, what was logged.
//!
//! A file of SQLite by default, PostgreSQL for several machines; the statements are the same.

mod answers;
mod database;
mod deliveries;
mod entries;
mod error;
mod leases;
mod migrations;
mod pipelines;
mod postgres;
mod sqlite;
pub(crate) mod value;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub use answers::{Answered, Asked};
pub(crate) use database::Db;
pub use deliveries::{Delivery, Waiting};
pub use entries::Entry;
pub use error::StoreError;
pub use leases::Lease;
pub(crate) use leases::{RENEWAL, TERM};
pub use pipelines::{Change, Record};
pub(crate) use value::{Row, Statement, Value};

use crate::vault::{KeyUse, RotationError, Vault, check, rotate, uses};

/// The store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    db: Db,
    vault: Arc<Vault>,
    changed: Arc<Notify>,
}

impl Store {
    /// Opens, and creates if need be, a file of SQLite.
    pub async fn file(path: &Path, vault: Vault) -> Result<Store, StoreError> {
        Ok(Store::with(Box::pin(Db::file(path)).await?, vault))
    }

    /// Connects to a database of PostgreSQL, and creates the schema `sync_service` in it if need be.
    pub async fn postgres(url: &SecretString, vault: Vault) -> Result<Store, StoreError> {
        Ok(Store::with(Box::pin(Db::postgres(url)).await?, vault))
    }

    fn with(db: Db, vault: Vault) -> Store {
        Store { db, vault: Arc::new(vault), changed: Arc::new(Notify::new()) }
    }

    /// The database, for what is no pipeline's.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// What seals secrets.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Tells whoever waits in this process that there may be something to do.
    pub fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Waits for a [`Store::notify`] of this process from now on. What other processes change is seen by looking.
    pub fn notified(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Begins to wait until it is worth looking again: after a [`Store::notify`] of this process from now on, and after `look`
    /// whatever happens, as other processes notify nobody here. Not for what is looked at without end: it may wake at each delivery.
    pub(crate) fn changing(&self, look: Duration) -> impl Future<Output = ()> + use<> {
        let changed = Arc::clone(&self.changed).notified_owned();
        async move {
            // Either way it is looked again.
            let _ = tokio::time::timeout(look, changed).await;
        }
    }

    /// Milliseconds since 1970, by the database's clock.
    pub async fn now(&self) -> Result<i64, StoreError> {
        let rows = self.db.read(Statement::new("select @now", [])).await?;
        rows.first().ok_or_else(|| StoreError::broken("the database does not tell the time"))?.required_int(0)
    }
}

impl Store {
    /// Wraps the data keys of all pipelines by the current master key. Answers how many were wrapped by another one.
    pub async fn rotate_keys(&self) -> Result<usize, RotationError> {
        rotate(&self.db, &self.vault).await
    }

    /// The master keys that are known or in use, and how many pipelines each seals. Nothing of them is secret.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, RotationError> {
        uses(&self.db, &self.vault).await
    }

    /// Fails where a pipeline is sealed by a master key that is not known, before anything is done.
    pub async fn check_keys(&self) -> Result<(), RotationError> {
        check(&self.db, &self.vault).await
    }
}
