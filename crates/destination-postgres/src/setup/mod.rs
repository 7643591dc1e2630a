//! Creating what write needs, and adding what the catalog has more. No data is ever dropped or retyped.
//!
//! What is new comes in one transaction, all or nothing. Tables that are there change one by one, in steps that
//! take a lock for a moment only, so that nobody who reads or writes them has to wait.

mod alter;
mod fill;
mod growth;
mod packs;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use protocol::{ConfiguredCatalog, ConnectorError, LogLevel, Message, counted};
use state_postgres::{STATE_TABLE, StateTable};
use tokio_postgres::types::Type;
use util_postgres::{Database, PostgresError, Transaction, quote_identifier, retrying};

use self::alter::LOCK_WAIT;
use self::growth::Growth;
use crate::config::{Packs, PostgresConfig};
use crate::failure::connector_error;
use crate::table::existing::{self, Existing};
use crate::table::late::{self, LateColumn};
use crate::table::record::{self, Made};
use crate::table::{Projection, TOMBSTONES, Table, projection, view};

/// How often to say that a setup goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Says how far a setup is.
pub(crate) type Progress = UnboundedSender<Message>;

/// Creates schema and tables, and adds what the catalog has more than the tables.
pub(crate) async fn run(
    config: &PostgresConfig,
    catalog: &ConfiguredCatalog,
    progress: &Progress,
) -> Result<(), ConnectorError> {
    let (database, schema, packs) = (&config.database()?, &*config.schema, &config.packs);
    if packs.row_level_security && config.projection == Projection::View {
        return Err(ConnectorError::config(
            "`packs.row_level_security` protects tables, but who reads a view reads as its owner. Set `projection` to \
             \"generated\" or \"typed\", or leave this pack out.",
        ));
    }
    let tables = catalog.streams.iter().map(|configured| Table::of(schema, configured, config.projection));
    let mut tables: Vec<Table> = tables.collect::<Result<_, _>>()?;
    if packs.indexes {
        for (table, configured) in tables.iter_mut().zip(&catalog.streams) {
            table.indexed = packs::indexed_columns(configured, table);
        }
    }
    let started = Instant::now();
    let found = retrying("setup", || create(database, schema, &tables)).await.map_err(connector_error)?;
    let made = tables.iter().filter(|table| !found.tables.contains_key(&table.name)).count();
    let growing = pin!(grow(database, packs, catalog, &tables, &found, progress));
    audibly(growing, schema, progress).await.map_err(connector_error)?;
    tracing::debug!(schema, tables = tables.len(), made, elapsed = ?started.elapsed(), "setup done");
    say(
        progress,
        format!("schema \"{schema}\": {} ready, {made} of them new", counted(tables.len(), "table")),
    );
    Ok(())
}

/// Changes the tables that were there, and adds the packs.
async fn grow(
    database: &Database,
    packs: &Packs,
    catalog: &ConfiguredCatalog,
    tables: &[Table],
    found: &Found,
    progress: &Progress,
) -> Result<(), PostgresError> {
    // A table that cannot grow keeps no other from growing.
    let mut failure = None;
    for table in tables {
        let Some(existing) = found.tables.get(&table.name) else { continue };
        let late = found.late.get(&table.name).map(Vec::as_slice).unwrap_or_default();
        let grown = alter::grow(database, table, existing, late, found.lz4, progress).await;
        failure = failure.or(grown.err());
    }
    match failure {
        Some(error) => Err(error),
        None => packs::add(database, packs, catalog, tables, progress).await,
    }
}

/// Does the work, and says now and then that it goes on: an index may have to wait for others' transactions, and
/// whoever runs a setup gives up on one that is silent.
async fn audibly<T>(mut work: Pin<&mut impl Future<Output = T>>, schema: &str, progress: &Progress) -> T {
    loop {
        match tokio::time::timeout(SIGN_OF_LIFE, &mut work).await {
            Ok(done) => return done,
            Err(_) => say(progress, format!("schema \"{schema}\": setup is at work")),
        }
    }
}

/// Whoever does not listen any more need not be told.
fn say(progress: &Progress, text: String) {
    let _ = progress.unbounded_send(Message::log(LogLevel::Info, text));
}

/// What was there.
struct Found {
    tables: HashMap<String, Existing>,
    late: HashMap<String, Vec<LateColumn>>,
    lz4: bool,
}

/// Makes way for others that create or drop in the schema; from then on they wait for this transaction.
pub(crate) async fn alone(transaction: &Transaction<'_>, schema: &str) -> Result<(), tokio_postgres::Error> {
    let name = format!("sync-engine setup {schema}");
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    transaction.query_typed(sql, &[(&name, Type::TEXT)]).await.map(drop)
}

/// Creates what is not there, all or nothing, and nothing at all where a table that is there cannot become a stream's.
async fn create(database: &Database, schema: &str, tables: &[Table]) -> Result<Found, PostgresError> {
    let mut connection = database.connect().await?;
    let failed = |error| {
        let error = database.failure(error);
        let text = format!("setup of schema \"{schema}\" failed, nothing was changed. {error}");
        error.with_message(text)
    };
    let transaction = connection.transaction().await.map_err(failed)?;
    alone(&transaction, schema).await.map_err(failed)?;
    let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                 COALESCE((SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'), false)";
    let row = transaction.query_one(there, &[&schema]).await.map_err(failed)?;
    let (schema_exists, lz4): (bool, bool) = (row.get(0), row.get(1));
    let mut made = Made { schema: !schema_exists, tables: Vec::new() };
    if let Some(refusal) = projection::conflict(&*transaction, tables).await.map_err(failed)? {
        return Err(PostgresError::config(refusal));
    }
    let own = [STATE_TABLE, TOMBSTONES, record::TABLE, late::TABLE];
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).chain(own).collect();
    let found = existing::read(&*transaction, schema, &names).await.map_err(failed)?;
    let late = if found.contains_key(late::TABLE) {
        late::read(&*transaction, schema).await.map_err(failed)?
    } else {
        HashMap::new()
    };
    let mut needs_late = false;
    for table in tables {
        if let Some(existing) = found.get(&table.name) {
            let growth = Growth::of(table, existing)?;
            needs_late |= growth.takes_time(table);
        }
    }
    let mut sql = String::new();
    if made.schema {
        let _ = writeln!(sql, "CREATE SCHEMA {};", quote_identifier(schema));
    }
    for (name, creation) in own.into_iter().zip(own_tables_sql(schema)) {
        // Even `IF NOT EXISTS` would ask for the right to create.
        if !found.contains_key(name) && (name != late::TABLE || needs_late) {
            let _ = writeln!(sql, "{creation};");
            made.tables.push(name.to_owned());
        }
    }
    for table in tables.iter().filter(|table| !found.contains_key(&table.name)) {
        sql.push_str(&creation(table, lz4));
        made.tables.push(table.name.clone());
    }
    made.tables.retain(|name| name != record::TABLE);
    transaction.batch_execute(&sql).await.map_err(failed)?;
    for table in tables.iter().filter(|table| table.projection == Projection::View) {
        let sql = view::update_sql(&*transaction, table).await.map_err(failed)?;
        if !sql.is_empty() {
            // Whoever reads the view holds it up for a moment only, and so those that come after it.
            transaction.batch_execute(LOCK_WAIT).await.map_err(failed)?;
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        if !found.contains_key(&table.name) {
            made.tables.push(table.shown_name());
        }
    }
    keep_record(&transaction, schema, &made).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(Found { tables: found, late, lz4 })
}

async fn keep_record(
    transaction: &Transaction<'_>,
    schema: &str,
    made: &Made,
) -> Result<(), tokio_postgres::Error> {
    if made.schema || !made.tables.is_empty() {
        record::add(&**transaction, schema, made).await?;
    }
    Ok(())
}

/// State, tombstones, the record of what was made, and that of columns which came late.
fn own_tables_sql(schema: &str) -> [String; 4] {
    let tombstones = format!("{}.{}", quote_identifier(schema), quote_identifier(TOMBSTONES));
    let tombstones = format!(
        "CREATE TABLE {tombstones} (stream text NOT NULL, key text NOT NULL, updated_at bigint NOT NULL, \
         deleted_at timestamptz NOT NULL, PRIMARY KEY (stream, key))"
    );
    let state = StateTable::in_schema(schema).create_sql();
    [state, tombstones, record::create_sql(schema), late::create_sql(schema)]
}

fn creation(table: &Table, lz4: bool) -> String {
    let mut sql = table.create_sql(lz4) + ";\n";
    for index in table.indexes() {
        let _ = writeln!(sql, "{};", table.index_sql(&index));
    }
    sql
}
