//! Where a sync stands, kept in PostgreSQL beside the data.
//!
//! One table, `_sync_state`, in the schema of the data, with one row per sync and stream; the row
//! of the source as a whole is called `_global`. Whoever writes records saves the state in the
//! same transaction, so that no cursor is ever ahead of the rows.

mod migrations;
mod scoped;

pub use migrations::{MIGRATIONS_TABLE, migrate};
pub use scoped::{DEFAULT_SYNC, ScopedStates};

use protocol::{RawJson, SourceState};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, GenericClient};
use util_postgres::{Transaction, quote_identifier};

/// Name of the table.
pub const STATE_TABLE: &str = "_sync_state";

/// Stream name of the global state.
pub const GLOBAL: &str = "_global";

/// The `_sync_state` table of one schema.
#[derive(Debug, Clone)]
pub struct StateTable {
    table: String,
    save: String,
}

impl StateTable {
    /// The table in `schema`. Nothing is read or created.
    pub fn in_schema(schema: &str) -> StateTable {
        let table = format!("{}.{}", quote_identifier(schema), quote_identifier(STATE_TABLE));
        // The text goes over as it is; a parameter of type jsonb would have to be parsed here first.
        let save = format!(
            "INSERT INTO {table} (sync_id, stream, state, updated_at) VALUES ($1, $2, ($3::text)::jsonb, now()) \
             ON CONFLICT (sync_id, stream) DO UPDATE SET state = EXCLUDED.state, updated_at = EXCLUDED.updated_at"
        );
        StateTable { table, save }
    }

    /// The statement that creates the table where it is missing. The schema must exist; run it
    /// under the lock that guards the schema's other DDL.
    pub fn create_sql(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (sync_id text NOT NULL, stream text NOT NULL, state jsonb NOT NULL, \
             updated_at timestamptz DEFAULT now(), PRIMARY KEY (sync_id, stream))",
            self.table
        )
    }

    /// What is stored for `sync_id`; `None` where nothing is, also when there is no table or no schema.
    pub async fn load(
        &self,
        client: &impl GenericClient,
        sync_id: &str,
    ) -> Result<Option<SourceState>, Error> {
        let sql = format!("SELECT stream, state::text FROM {} WHERE sync_id = $1", self.table);
        let rows = match client.query_typed(&sql, &[(&sync_id, Type::TEXT)]).await {
            Err(error) if is_missing(&error) => return Ok(None),
            rows => rows?,
        };
        if rows.is_empty() {
            return Ok(None);
        }
        let mut state = SourceState::default();
        for row in rows {
            let (stream, data): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let data = RawJson::from_trusted(data.into());
            match &*stream {
                GLOBAL => state.global = data,
                _ => drop(state.streams.insert(stream, data)),
            }
        }
        Ok(Some(state))
    }

    /// Forgets everything stored for `sync_id`.
    pub async fn clear(&self, client: &impl GenericClient, sync_id: &str) -> Result<(), Error> {
        let sql = format!("DELETE FROM {} WHERE sync_id = $1", self.table);
        match client.execute_typed(&sql, &[(&sync_id, Type::TEXT)]).await {
            Err(error) if is_missing(&error) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Stores the state of one stream, or of the source as a whole ([`GLOBAL`]), as part of `transaction`.
    pub async fn save(
        &self,
        transaction: &Transaction<'_>,
        sync_id: &str,
        stream: &str,
        state: &RawJson,
    ) -> Result<(), Error> {
        let text = state.as_str();
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&sync_id, Type::TEXT), (&stream, Type::TEXT), (&text, Type::TEXT)];
        transaction.query_typed(&self.save, &parameters).await.map(drop)
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
}
