//! Which tables are ours: making, adopting, widening and dropping them.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{ConfiguredCatalog, ErrorKind, Stream};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::SqliteError;
use crate::column::Column;
use crate::database::Database;
use crate::layout::{Layout, quoted};

/// `_sync_tables.columns` holds what the view of a stream shows, as JSON.
const OWN_TABLES: &str = "
CREATE TABLE IF NOT EXISTS _sync_tables (
  stream TEXT NOT NULL PRIMARY KEY,
  columns TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _sync_tombstones (
  stream TEXT NOT NULL,
  key TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at TEXT NOT NULL,
  PRIMARY KEY (stream, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _sync_state (
  sync_id TEXT NOT NULL,
  stream TEXT NOT NULL,
  state TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (sync_id, stream)
) WITHOUT ROWID;
";

/// The streams of a catalog, ready to be written or refused.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) layouts: HashMap<Arc<str>, Layout>,
    pub(crate) refused: HashMap<Arc<str>, SqliteError>,
    /// Properties that are not columns of the view, by stream.
    pub(crate) hidden: Vec<(Arc<str>, Vec<String>)>,
}

/// Makes what the catalog's streams need and the file does not have yet.
pub(crate) fn prepare(database: &Database, catalog: &ConfiguredCatalog) -> Result<Prepared, SqliteError> {
    let refused = |cause| database.refused(cause);
    database.transaction(|transaction| {
        transaction.execute_batch(OWN_TABLES).map_err(refused)?;
        let mut prepared = Prepared::default();
        for configured in &catalog.streams {
            let name = &configured.stream.name;
            transaction.execute_batch("SAVEPOINT one_stream").map_err(refused)?;
            match prepare_stream(database, transaction, &configured.stream) {
                Ok((layout, hidden)) => {
                    prepared.layouts.insert(Arc::clone(name), layout);
                    if !hidden.is_empty() {
                        prepared.hidden.push((Arc::clone(name), hidden));
                    }
                }
                // What is wrong with the file is wrong for every stream.
                Err(error) if error.kind() != ErrorKind::Config || is_of_file(&error) => return Err(error),
                Err(error) => {
                    transaction.execute_batch("ROLLBACK TO one_stream").map_err(refused)?;
                    prepared.refused.insert(Arc::clone(name), error);
                }
            }
            transaction.execute_batch("RELEASE one_stream").map_err(refused)?;
        }
        Ok(prepared)
    })
}

fn is_of_file(error: &SqliteError) -> bool {
    matches!(error, SqliteError::Database { .. })
}

fn prepare_stream(
    database: &Database,
    transaction: &Transaction<'_>,
    stream: &Stream,
) -> Result<(Layout, Vec<String>), SqliteError> {
    let refused = |cause| database.refused(cause);
    let layout = Layout::of_stream(stream)?;
    refuse_same_name(transaction, &layout).map_err(refused)?.map_or(Ok(()), Err)?;
    let not_ours = |name: &str| SqliteError::NotOurs {
        stream: layout.stream.to_string(),
        name: name.to_owned(),
        key: layout.key.join(", "),
    };
    let before = registered(transaction, &layout).map_err(refused)?;
    let mut named = object(transaction, layout.view()).map_err(refused)?;
    if before.is_none() && named.as_deref() == Some("table") {
        if !has_our_shape(transaction, layout.view(), &layout).map_err(refused)? {
            return Err(not_ours(layout.view()));
        }
        if object(transaction, &layout.table()).map_err(refused)?.is_some() {
            return Err(not_ours(&layout.table()));
        }
        adopt(transaction, &layout).map_err(refused)?;
        named = None;
    }
    let view_exists = match (&before, named.as_deref()) {
        (_, None) => false,
        (Some(_), Some("view")) => true,
        _ => return Err(not_ours(layout.view())),
    };
    if object(transaction, &layout.table()).map_err(refused)?.as_deref() == Some("view") {
        return Err(not_ours(&layout.table()));
    }
    transaction.execute_batch(&layout.create_table()).map_err(refused)?;
    if !has_our_shape(transaction, &layout.table(), &layout).map_err(refused)? {
        return Err(not_ours(&layout.table()));
    }
    if let Some(index) = layout.create_parent_index() {
        transaction.execute_batch(&index).map_err(refused)?;
    }
    let shown = layout.shown(before.clone().unwrap_or_default(), Column::of_stream(stream));
    let unchanged = before.as_ref().is_some_and(|before| *before == shown.columns);
    if !(unchanged && view_exists) {
        widen(transaction, &layout, &shown.columns, view_exists).map_err(refused)?;
    }
    Ok((layout, shown.hidden))
}

/// Another stream of ours whose name SQLite takes for the same.
fn refuse_same_name(connection: &Connection, layout: &Layout) -> rusqlite::Result<Option<SqliteError>> {
    let other: Option<String> = connection
        .prepare_cached("SELECT stream FROM _sync_tables WHERE stream = ?1 COLLATE NOCASE AND stream <> ?1")?
        .query_row([&*layout.stream], |row| row.get(0))
        .optional()?;
    Ok(other.map(|other| SqliteError::StreamName {
        stream: layout.stream.to_string(),
        reason: format!("SQLite cannot tell its name from that of stream `{other}`"),
    }))
}

fn registered(connection: &Connection, layout: &Layout) -> rusqlite::Result<Option<Vec<Column>>> {
    let columns: Option<String> = connection
        .prepare_cached("SELECT columns FROM _sync_tables WHERE stream = ?1")?
        .query_row([&*layout.stream], |row| row.get(0))
        .optional()?;
    // Columns that cannot be read are made anew from the schema.
    Ok(columns.map(|text| serde_json::from_str(&text).unwrap_or_default()))
}

/// Whether the name is a `table` or a `view`, if it is anything.
fn object(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
        )?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Whether the table has the columns and the primary key that the TypeScript engine and we give it.
fn has_our_shape(connection: &Connection, table: &str, layout: &Layout) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT name, pk FROM pragma_table_xinfo(?1)")?;
    let columns: HashMap<String, u32> =
        statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let keys = columns.values().filter(|position| **position > 0).count();
    let key_fits = keys == layout.key.len()
        && layout.key.iter().all(|field| columns.get(field).is_some_and(|position| *position > 0));
    Ok(key_fits && ["_raw_data", "_synced_at", "_updated_at"].iter().all(|name| columns.contains_key(*name)))
}

/// Takes over a table of the TypeScript engine. Nothing is copied.
fn adopt(connection: &Connection, layout: &Layout) -> rusqlite::Result<()> {
    let (old, new) = (quoted(layout.view()), quoted(&layout.table()));
    // With the modern form, views of the user that are broken for other reasons would stop us.
    connection.execute_batch(&format!(
        "PRAGMA legacy_alter_table = ON; ALTER TABLE {old} RENAME TO {new}; PRAGMA legacy_alter_table = OFF;"
    ))?;
    let known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = '_newer_than')",
        [layout.table()],
        |row| row.get(0),
    )?;
    if !known {
        connection.execute_batch(&format!("ALTER TABLE {new} ADD COLUMN _newer_than INTEGER"))?;
    }
    Ok(())
}

/// Makes the view anew with these columns.
fn widen(
    connection: &Connection,
    layout: &Layout,
    columns: &[Column],
    view_exists: bool,
) -> rusqlite::Result<()> {
    if view_exists {
        connection.execute_batch(&format!("DROP VIEW {}", quoted(layout.view())))?;
    }
    connection.execute_batch(&layout.create_view(columns))?;
    let columns = serde_json::to_string(columns).unwrap_or_default();
    connection
        .prepare_cached("INSERT OR REPLACE INTO _sync_tables (stream, columns) VALUES (?1, ?2)")?
        .execute(params![&*layout.stream, columns])?;
    Ok(())
}

/// The streams that have a table in the file.
pub(crate) fn streams(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    if object(connection, "_sync_tables")?.is_none() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT stream FROM _sync_tables ORDER BY stream")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Drops every table and view of ours. Answers whether anything is left in the file.
pub(crate) fn drop_all(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    for stream in streams(transaction)? {
        if object(transaction, &stream)?.as_deref() == Some("view") {
            transaction.execute_batch(&format!("DROP VIEW {}", quoted(&stream)))?;
        }
        transaction.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&format!("_raw_{stream}"))))?;
    }
    transaction.execute_batch(
        "DROP TABLE IF EXISTS _sync_tables; DROP TABLE IF EXISTS _sync_tombstones; \
         DROP TABLE IF EXISTS _sync_state;",
    )?;
    transaction.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}
