//! The one row of an account.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::budget::{Budget, Grant, Want};
use crate::{Connection, Database, FailureKind, PostgresError, quote_identifier};

/// Name of the table.
pub const TABLE: &str = "_sync_rate_limit";

/// How long a lease is good. Whoever wants to go on asks again much sooner.
const VALID: Duration = Duration::from_secs(2);

/// How often a change is tried that others came before with theirs.
const TRIES: u32 = 8;

/// Leases of rates, kept in one table of a database. Cloning shares the connection.
#[derive(Clone)]
pub struct SharedRate {
    database: Database,
    schema: String,
    table: String,
    made: Arc<OnceCell<()>>,
}

/// What was leased.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// One for each want, in their order.
    pub grants: Vec<Grant>,
    /// From the moment of asking.
    pub valid_for: Duration,
    /// How many processes hold a lease, this one included.
    pub processes: usize,
}

impl SharedRate {
    /// The table in `schema`; both are created when they are first needed. Nothing is opened yet.
    pub fn in_schema(database: Database, schema: &str) -> SharedRate {
        let table = format!("{}.{}", quote_identifier(schema), quote_identifier(TABLE));
        SharedRate { database, schema: schema.to_owned(), table, made: Arc::default() }
    }

    /// `host:port/database`, for messages.
    pub fn place(&self) -> &str {
        self.database.place()
    }

    /// Replaces what `process` has leased of `account` by what it wants now, as far as there is enough; without
    /// wants it gives all back.
    ///
    /// The row is read and written back only if nobody else changed it in between, so that no lock is held while
    /// this process may be stopped, and two statements are all there is to it.
    pub async fn lease(&self, account: &str, process: &str, wants: &[Want]) -> Result<Leased, PostgresError> {
        let client = self.database.connect().await?;
        self.made.get_or_try_init(|| self.make(&client)).await?;
        let failed = |error| self.database.failure(error);
        let read = format!(
            "SELECT version, budget::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
             FROM {} WHERE account = $1",
            self.table
        );
        let add = format!(
            "INSERT INTO {} (account, version, budget) VALUES ($1, 1, $2::text::jsonb) ON CONFLICT DO NOTHING",
            self.table
        );
        let change = format!(
            "UPDATE {} SET version = version + 1, budget = $2::text::jsonb, changed_at = now() \
             WHERE account = $1 AND version = $3",
            self.table
        );
        for attempt in 1..=TRIES {
            let row = client.query_typed_opt(&read, &[(&account, Type::TEXT)]).await.map_err(failed)?;
            let known = row.map(|row| {
                Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            });
            let known: Option<(i64, String, i64)> = known.transpose().map_err(failed)?;
            // What cannot be understood was written by another version: begun anew.
            let mut budget: Budget =
                known.as_ref().and_then(|(_, text, _)| serde_json::from_str(text).ok()).unwrap_or_default();
            let now = match &known {
                Some((.., now)) => *now,
                None => self.now(&client).await.map_err(failed)?,
            };
            let valid = i64::try_from(VALID.as_millis()).unwrap_or(i64::MAX);
            let grants = budget.lease(process, wants, now, valid);
            let text = serde_json::to_string(&budget)
                .map_err(|error| PostgresError::new(FailureKind::Permanent, error.to_string()))?;
            let changed = match &known {
                Some((version, ..)) => {
                    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                        [(&account, Type::TEXT), (&text, Type::TEXT), (version, Type::INT8)];
                    client.execute_typed(&change, &parameters).await
                }
                None => client.execute_typed(&add, &[(&account, Type::TEXT), (&text, Type::TEXT)]).await,
            };
            if changed.map_err(failed)? == 1 {
                return Ok(Leased { grants, valid_for: VALID, processes: budget.processes() });
            }
            // Not all at the same moment again.
            let spread =
                u64::from(process.bytes().fold(attempt, |sum, byte| sum.wrapping_mul(31) + u32::from(byte)));
            tokio::time::sleep(Duration::from_millis(1 + spread % (8 * u64::from(attempt)))).await;
        }
        let text = format!("{} is changed by others all the time", self.table);
        Err(PostgresError::new(FailureKind::Transient, text))
    }

    async fn now(&self, client: &Connection) -> Result<i64, tokio_postgres::Error> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        client.query_typed_one(sql, &[]).await?.try_get(0)
    }

    /// Creates schema and table where they are missing, one process at a time.
    async fn make(&self, client: &Connection) -> Result<(), PostgresError> {
        let exists = format!("SELECT FROM {} LIMIT 0", self.table);
        let missing = |error: &tokio_postgres::Error| {
            matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
        };
        match client.batch_execute(&exists).await {
            Ok(()) => return Ok(()),
            Err(error) if missing(&error) => {}
            Err(error) => return Err(self.database.failure(error)),
        }
        let schema = quote_identifier(&self.schema);
        let lock = crate::quote_literal(&format!("sync-engine setup {}", self.schema));
        // Even `IF NOT EXISTS` would ask for the right to create a schema.
        let sql = format!(
            "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended({lock}, 0)); \
             DO $$ BEGIN IF to_regnamespace({name}) IS NULL THEN CREATE SCHEMA {schema}; END IF; END $$; \
             CREATE TABLE IF NOT EXISTS {table} (account text PRIMARY KEY, version bigint NOT NULL, \
             budget jsonb NOT NULL, changed_at timestamptz NOT NULL DEFAULT now()); COMMIT",
            name = crate::quote_literal(&schema),
            table = self.table,
        );
        match client.batch_execute(&sql).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.database.failure(error);
                // The connection goes back into the pool; if this fails too, it is not used again.
                let _ = client.batch_execute("ROLLBACK").await;
                let text = format!("the table for the shared rate limit cannot be created: {error}");
                Err(error.with_message(text))
            }
        }
    }
}

impl std::fmt::Debug for SharedRate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SharedRate({} in {})", self.table, self.place())
    }
}
