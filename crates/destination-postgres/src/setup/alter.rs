//! Changing one table that is in use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::counted;
use tokio_postgres::error::{DbError, SqlState};
use util_postgres::{Database, FailureKind, PostgresError, quote_identifier};

use super::growth::Growth;
use super::{Progress, fill, say};
use crate::table::existing::{self, Existing};
use crate::table::late::{self, LateColumn};
use crate::table::{Column, Index, Table};

/// How long a change may wait for the table's lock. Everybody who comes after it waits with it, so this and the
/// change itself is the longest that a reader or a writer is held up.
pub(super) const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '25ms'";

/// Gives a table what it lacks.
pub(super) async fn grow(
    database: &Database,
    table: &Table,
    existing: &Existing,
    late: &[LateColumn],
    lz4: bool,
    progress: &Progress,
) -> Result<(), PostgresError> {
    let failed = |error: PostgresError| {
        let text = format!("table {} could not be changed: {error}", table.qualified());
        error.with_message(text)
    };
    let mut change = Change::of(table, existing, late, None, lz4)?;
    let at_once = change.at_once;
    if change.alters() {
        let columns = change.growth.columns.len() + change.growth.plain.len();
        if columns > 0 && !at_once {
            let names =
                change.growth.columns.iter().map(|column| &*column.name).collect::<Vec<_>>().join(", ");
            say(
                progress,
                format!("table {}: adding {} ({names})", table.qualified(), counted(columns, "column")),
            );
        }
        let what = format!("change table {}", table.qualified());
        let apply = || apply(database, table, at_once, lz4);
        change = database.retrying(&what, apply).await.map_err(failed)?;
    }
    if !at_once {
        change.validate(database).await.map_err(failed)?;
        if change.late.columns.iter().any(|column| !column.filled) {
            fill::all(database, table, &change.late.columns, progress).await?;
        }
        change.index(database, progress).await.map_err(failed)?;
    }
    Ok(())
}

/// Does the part of a change that needs the table's lock. What it is, is decided once no other setup can change the
/// table, and answered.
async fn apply<'t>(
    database: &Database,
    table: &'t Table,
    at_once: bool,
    lz4: bool,
) -> Result<Change<'t>, PostgresError> {
    let mut connection = database.connect().await?;
    let failed = |error| database.failure(error);
    let transaction = connection.transaction().await.map_err(failed)?;
    // Holds up nobody but other changes and an automatic vacuum, which gives way within a second or so; it would
    // not for a wait as short as the next.
    let target = table.qualified();
    let first = format!("SET LOCAL lock_timeout = '10s'; LOCK TABLE {target} IN SHARE UPDATE EXCLUSIVE MODE");
    transaction.batch_execute(&first).await.map_err(failed)?;
    let names = [&*table.name, late::TABLE];
    let found = existing::read(&*transaction, &table.schema, &names).await.map_err(failed)?;
    let mut late = HashMap::new();
    if found.contains_key(late::TABLE) {
        late = late::read(&*transaction, &table.schema).await.map_err(failed)?;
    }
    let existing = found.get(&table.name).ok_or_else(|| {
        PostgresError::new(FailureKind::Missing, format!("{target} was dropped meanwhile: run setup again"))
    })?;
    let late = late.remove(&table.name).unwrap_or_default();
    let change = Change::of(table, existing, &late, Some(at_once), lz4)?;
    if change.alters() {
        transaction.batch_execute(LOCK_WAIT).await.map_err(failed)?;
        transaction.batch_execute(&change.sql()).await.map_err(failed)?;
        if change.late.changed {
            late::remember(&*transaction, table, &change.late.columns).await.map_err(failed)?;
        }
    }
    transaction.commit().await.map_err(failed)?;
    Ok(change)
}

/// The columns that a trigger fills, after the change.
struct Late {
    columns: Vec<LateColumn>,
    /// Whether they are others than before.
    changed: bool,
}

impl Late {
    fn after(growth: &Growth<'_>, existing: &Existing, late: &[LateColumn]) -> Late {
        // Somebody may have dropped one.
        let kept = late.iter().filter(|column| existing.columns.contains(&column.name)).cloned();
        let mut columns: Vec<LateColumn> = kept.collect();
        let changed = columns.len() < late.len() || !growth.columns.is_empty();
        columns.extend(growth.columns.iter().map(|column| LateColumn {
            name: column.name.clone(),
            expression: column.expression.clone(),
            filled: false,
        }));
        Late { columns, changed }
    }
}

/// One change of one table.
struct Change<'t> {
    table: &'t Table,
    growth: Growth<'t>,
    late: Late,
    /// Whether all of it is done under the table's lock.
    at_once: bool,
    lz4: bool,
}

impl<'t> Change<'t> {
    fn of(
        table: &'t Table,
        existing: &Existing,
        late: &[LateColumn],
        at_once: Option<bool>,
        lz4: bool,
    ) -> Result<Change<'t>, PostgresError> {
        let growth = Growth::of(table, existing)?;
        // A table with late columns has a trigger for them; one way of filling columns is enough for a table.
        let at_once = at_once.unwrap_or(growth.small && late.is_empty() && !growth.takes_time(table));
        let late = if at_once {
            Late { columns: Vec::new(), changed: false }
        } else {
            Late::after(&growth, existing, late)
        };
        Ok(Change { table, growth, late, at_once, lz4 })
    }

    fn alters(&self) -> bool {
        let indexes =
            self.at_once && !(self.growth.indexes.is_empty() && self.growth.broken_indexes.is_empty());
        self.growth.alters() || self.late.changed || indexes
    }

    /// All that needs the table's lock, in one statement where it can be.
    fn sql(&self) -> String {
        let (table, growth, at_once) = (self.table, &self.growth, self.at_once);
        let target = table.qualified();
        let mut changes: Vec<String> =
            growth.plain.iter().map(|definition| format!("ADD COLUMN {definition}")).collect();
        changes.extend(growth.columns.iter().map(|column| {
            let definition = if at_once { table.definition_of(column, self.lz4) } else { self.plain(column) };
            format!("ADD COLUMN {definition}")
        }));
        changes
            .extend(growth.dropped.iter().map(|name| format!("DROP CONSTRAINT {}", quote_identifier(name))));
        let unchecked = if at_once { "" } else { " NOT VALID" };
        changes.extend(growth.added.iter().map(|allowed| {
            format!("ADD CONSTRAINT {} {}{unchecked}", quote_identifier(&allowed.constraint), allowed.check())
        }));
        let mut sql = String::new();
        if !changes.is_empty() {
            sql.push_str(&format!("ALTER TABLE {target} {};\n", changes.join(", ")));
        }
        if growth.legacy_trigger {
            sql.push_str(&format!("DROP TRIGGER handle_updated_at ON {target};\n"));
        }
        if self.late.changed {
            sql.push_str(&late::trigger_sql(table, &self.late.columns));
        }
        if at_once {
            for name in &growth.broken_indexes {
                sql.push_str(&format!("DROP INDEX {};\n", self.of_schema(name)));
            }
            for index in &growth.indexes {
                sql.push_str(&format!("{};\n", table.index_sql(index)));
            }
        }
        sql
    }

    /// A column without what fills it.
    fn plain(&self, column: &Column) -> String {
        let compression = if self.lz4 && column.sql_type == "jsonb" { " COMPRESSION lz4" } else { "" };
        format!("{} {}{compression}", quote_identifier(&column.name), column.sql_type)
    }

    fn of_schema(&self, name: &str) -> String {
        format!("{}.{}", quote_identifier(&self.table.schema), quote_identifier(name))
    }

    /// Checks the rows against constraints that are there and hold for new rows already. Reading and writing go on.
    async fn validate(&self, database: &Database) -> Result<(), PostgresError> {
        let added = self.growth.added.iter().map(|allowed| &allowed.constraint);
        for name in added.chain(&self.growth.unchecked) {
            let (target, constraint) = (self.table.qualified(), quote_identifier(name));
            let sql = format!("ALTER TABLE {target} VALIDATE CONSTRAINT {constraint}");
            // Waiting for its lock holds up neither readers nor writers.
            let outcome = by_itself(database, &sql).await;
            if let Err(error) = outcome {
                if error.kind() == FailureKind::Data {
                    // As if it had never been: the rows are somebody else's to mend.
                    let sql = format!("ALTER TABLE {target} DROP CONSTRAINT {constraint}");
                    database.retrying("take back", || briefly(database, &sql)).await?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the indexes beside everybody else's work.
    async fn index(&self, database: &Database, progress: &Progress) -> Result<(), PostgresError> {
        for index in &self.growth.indexes {
            say(progress, format!("table {}: making index \"{}\"", self.table.qualified(), index.name));
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.of_schema(&index.name));
            // An attempt that fails leaves an index that nobody uses and everybody has to keep up.
            let broken = AtomicBool::new(self.growth.broken_indexes.contains(&index.name));
            let make = || async {
                if broken.swap(true, Ordering::Relaxed) {
                    by_itself(database, &drop).await?;
                }
                by_itself(database, &concurrent(self.table, index)).await
            };
            match database.retrying("make index", make).await {
                // By another setup, at the same time.
                Err(error) if already_there(&error) => {}
                made => made?,
            }
        }
        Ok(())
    }
}

fn already_there(error: &PostgresError) -> bool {
    let code = error.refusal().map(DbError::code);
    matches!(
        code,
        Some(&SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT | &SqlState::UNIQUE_VIOLATION)
    )
}

/// `CREATE INDEX CONCURRENTLY …`
fn concurrent(table: &Table, index: &Index) -> String {
    table.index_sql(index).replacen("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1)
}

/// One statement in a transaction, that waits for locks for a moment only.
pub(super) async fn briefly(database: &Database, sql: &str) -> Result<(), PostgresError> {
    let mut connection = database.connect().await?;
    let done = async {
        let transaction = connection.transaction().await?;
        transaction.batch_execute(LOCK_WAIT).await?;
        transaction.batch_execute(sql).await?;
        transaction.commit().await
    };
    done.await.map_err(|error| database.failure(error))
}

/// One statement that cannot be part of a transaction. Waiting for locks is a part of what it does, and holds nobody up.
async fn by_itself(database: &Database, sql: &str) -> Result<(), PostgresError> {
    let connection = database.connect().await?;
    connection.batch_execute(sql).await.map_err(|error| database.failure(error))
}
