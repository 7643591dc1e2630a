//! The states of one sync, in one schema.

use protocol::{RawJson, SourceState};
use util_postgres::{Database, PostgresError, retrying};

use crate::{GLOBAL, StateTable};

/// The sync that is meant where none is named, as upstream has it.
pub const DEFAULT_SYNC: &str = "default";

/// The states of one sync in one schema. Those of other syncs, and of other schemas, cannot be reached by it.
#[derive(Clone)]
pub struct ScopedStates {
    database: Database,
    table: StateTable,
    sync_id: String,
}

impl ScopedStates {
    /// Those of `sync_id` in `schema`. Nothing is read or created.
    pub fn new(database: Database, schema: &str, sync_id: &str) -> ScopedStates {
        ScopedStates { database, table: StateTable::in_schema(schema), sync_id: sync_id.to_owned() }
    }

    /// What is stored; `None` where nothing is, also when there is no table or no schema.
    pub async fn load(&self) -> Result<Option<SourceState>, PostgresError> {
        let load = || async {
            let connection = self.database.connect().await?;
            let loaded = self.table.load(&*connection, &self.sync_id).await;
            loaded.map_err(|error| self.database.failure(error))
        };
        retrying("load state", load).await
    }

    /// Stores the state of one stream. The table must exist.
    pub async fn set(&self, stream: &str, state: &RawJson) -> Result<(), PostgresError> {
        let save = || async {
            let mut connection = self.database.connect().await?;
            let saved = async {
                let transaction = connection.transaction().await?;
                self.table.save(&transaction, &self.sync_id, stream, state).await?;
                transaction.commit().await
            };
            saved.await.map_err(|error| self.database.failure(error))
        };
        retrying("save state", save).await
    }

    /// Stores the state of the source as a whole. The table must exist.
    pub async fn set_global(&self, state: &RawJson) -> Result<(), PostgresError> {
        self.set(GLOBAL, state).await
    }

    /// Forgets everything stored for this sync.
    pub async fn clear(&self) -> Result<(), PostgresError> {
        let clear = || async {
            let connection = self.database.connect().await?;
            let cleared = self.table.clear(&*connection, &self.sync_id).await;
            cleared.map_err(|error| self.database.failure(error))
        };
        retrying("clear state", clear).await
    }
}
