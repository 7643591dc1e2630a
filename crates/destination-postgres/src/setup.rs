//! Creating what write needs. Nothing is ever dropped or retyped.

use std::fmt::Write as _;
use std::time::Instant;

use protocol::{ConfiguredCatalog, ConnectorError, LogLevel, Message};
use state_postgres::{STATE_TABLE, StateTable};
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use util_postgres::{Database, FailureKind, PostgresError, quote_identifier, retrying};

use crate::config::PostgresConfig;
use crate::failure::connector_error;
use crate::table::existing::{self, Existing};
use crate::table::record::{self, Made};
use crate::table::{Projection, TOMBSTONES, Table, projection, view};

/// Creates schema and tables, and adds what the catalog has more than the tables, all or nothing.
pub(crate) async fn run(
    config: &PostgresConfig,
    catalog: &ConfiguredCatalog,
) -> Result<Vec<Message>, ConnectorError> {
    let (database, schema) = (config.database()?, &*config.schema);
    let tables = catalog.streams.iter().map(|configured| Table::of(schema, configured, config.projection));
    let tables: Vec<Table> = tables.collect::<Result<_, _>>()?;
    let started = Instant::now();
    let made = retrying("setup", || apply(&database, schema, &tables)).await.map_err(connector_error)?;
    tracing::debug!(schema, tables = tables.len(), made, elapsed = ?started.elapsed(), "setup done");
    let text = format!("schema \"{schema}\": {} tables ready, {made} of them new", tables.len());
    Ok(vec![Message::log(LogLevel::Info, text)])
}

/// Waits for other setups and teardowns of the schema; later statements wait for a table's lock for
/// five seconds only, because everything that comes after them waits with them.
pub(crate) async fn lock(client: &impl GenericClient, schema: &str) -> Result<(), tokio_postgres::Error> {
    client
        .query_one(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            &[&format!("sync-engine setup {schema}")],
        )
        .await?;
    client.batch_execute("SET LOCAL lock_timeout = '5s'").await
}

async fn apply(database: &Database, schema: &str, tables: &[Table]) -> Result<usize, PostgresError> {
    let mut connection = database.connect().await?;
    let failed = |error| {
        let error = database.failure(error);
        let text = format!("setup of schema \"{schema}\" failed, nothing was changed. {error}");
        if error.refusal().is_some_and(|refusal| *refusal.code() == SqlState::LOCK_NOT_AVAILABLE) {
            // Everybody else waits while this waits: once is enough.
            return PostgresError::new(FailureKind::Permanent, text).caused_by(error);
        }
        error.with_message(text)
    };
    let transaction = connection.transaction().await.map_err(failed)?;
    lock(&*transaction, schema).await.map_err(failed)?;
    let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                 COALESCE((SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'), false)";
    let row = transaction.query_one(there, &[&schema]).await.map_err(failed)?;
    let (schema_exists, lz4): (bool, bool) = (row.get(0), row.get(1));
    let mut made = Made { schema: !schema_exists, tables: Vec::new() };
    if made.schema {
        transaction
            .batch_execute(&format!("CREATE SCHEMA {}", quote_identifier(schema)))
            .await
            .map_err(failed)?;
    }
    let own = [STATE_TABLE, TOMBSTONES, record::TABLE];
    if let Some(refusal) = projection::conflict(&*transaction, tables).await.map_err(failed)? {
        return Err(PostgresError::config(refusal));
    }
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).chain(own).collect();
    let found = existing::read(&*transaction, schema, &names).await.map_err(failed)?;
    let mut sql = String::new();
    for (name, creation) in own.into_iter().zip(own_tables_sql(schema)) {
        // Even `IF NOT EXISTS` would ask for the right to create.
        if !found.contains_key(name) {
            let _ = writeln!(sql, "{creation};");
        }
    }
    for table in tables {
        match found.get(&table.name) {
            None => sql.push_str(&creation(table, lz4)),
            Some(existing) => sql.push_str(&growth(table, existing, lz4)?),
        }
    }
    let new = names.into_iter().filter(|name| *name != record::TABLE && !found.contains_key(*name));
    made.tables = new.map(str::to_owned).collect();
    transaction.batch_execute(&sql).await.map_err(failed)?;
    for table in tables.iter().filter(|table| table.projection == Projection::View) {
        let sql = view::update_sql(&*transaction, table).await.map_err(failed)?;
        transaction.batch_execute(&sql).await.map_err(failed)?;
        if !found.contains_key(&table.name) {
            made.tables.push(table.shown_name());
        }
    }
    if made.schema || !made.tables.is_empty() {
        record::add(&*transaction, schema, &made).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(tables.iter().filter(|table| !found.contains_key(&table.name)).count())
}

/// State, tombstones and the record of what was made.
fn own_tables_sql(schema: &str) -> [String; 3] {
    let tombstones = format!("{}.{}", quote_identifier(schema), quote_identifier(TOMBSTONES));
    let tombstones = format!(
        "CREATE TABLE {tombstones} (stream text NOT NULL, key text NOT NULL, updated_at bigint NOT NULL, \
         deleted_at timestamptz NOT NULL, PRIMARY KEY (stream, key))"
    );
    [StateTable::in_schema(schema).create_sql(), tombstones, record::create_sql(schema)]
}

fn creation(table: &Table, lz4: bool) -> String {
    let mut sql = table.create_sql(lz4) + ";\n";
    for index in table.indexes() {
        let _ = writeln!(sql, "{};", table.index_sql(&index));
    }
    sql
}

/// What a table lacks that the catalog has; nothing, and so no lock, where it lacks nothing.
fn growth(table: &Table, existing: &Existing, lz4: bool) -> Result<String, PostgresError> {
    let conflict = |text: String| Err(PostgresError::config(text));
    let qualified = table.qualified();
    let missing =
        ["_raw_data", "_synced_at", "_updated_at"].into_iter().find(|name| !existing.columns.contains(*name));
    if !existing.is_table() || missing.is_some() {
        let why =
            missing.map_or("it is not a table".to_owned(), |name| format!("it has no column \"{name}\""));
        return conflict(format!(
            "{qualified} exists and is not a table of a sync: {why}. Rename it, or choose another schema."
        ));
    }
    let key: Vec<&str> = table.key.iter().map(|column| &*column.name).collect();
    if existing.key != key {
        return conflict(format!(
            "{qualified} has the primary key ({}), but stream \"{}\" needs ({}). Rename the table, or choose \
             another schema, and sync again.",
            existing.key.join(", "),
            table.stream,
            key.join(", ")
        ));
    }
    let mut changes: Vec<String> = table
        .later_columns(lz4)
        .filter(|(name, _)| !existing.columns.contains(*name))
        .map(|(_, definition)| format!("ADD COLUMN {definition}"))
        .collect();
    for allowed in &table.allowed {
        match existing.checks.get(&allowed.constraint) {
            None => {
                let constraint = quote_identifier(&allowed.constraint);
                changes.push(format!("ADD CONSTRAINT {constraint} {}", allowed.check()));
            }
            // The rows of one account, and from now on those of several.
            Some(definition) if allowed.widens(definition) => {
                let constraint = quote_identifier(&allowed.constraint);
                changes.push(format!("DROP CONSTRAINT {constraint}"));
                changes.push(format!("ADD CONSTRAINT {constraint} {}", allowed.check()));
            }
            Some(definition) => {
                if let Some(text) = allowed.conflict(&table.schema, &table.name, definition) {
                    return conflict(text);
                }
            }
        }
    }
    let free = table.unconstrained().filter(|constraint| existing.checks.contains_key(constraint));
    changes.extend(free.map(|constraint| format!("DROP CONSTRAINT {}", quote_identifier(&constraint))));
    let mut sql = String::new();
    if existing.legacy_trigger {
        let _ = writeln!(sql, "DROP TRIGGER handle_updated_at ON {qualified};");
    }
    if !changes.is_empty() {
        let _ = writeln!(sql, "ALTER TABLE {qualified} {};", changes.join(", "));
    }
    // What is not generated is filled for the rows that are there, too.
    let filled = table.filled().into_iter().filter(|column| !existing.columns.contains(&column.name));
    let filled: Vec<String> =
        filled.map(|column| format!("{} = {}", quote_identifier(&column.name), column.expression)).collect();
    if !filled.is_empty() {
        let _ = writeln!(sql, "UPDATE {qualified} SET {};", filled.join(", "));
    }
    for index in table.indexes().filter(|index| !existing.indexes.contains(&index.name)) {
        let _ = writeln!(sql, "{};", table.index_sql(&index));
    }
    Ok(sql)
}
