//! Columns that hold the id of a row in another table: indexes on them, and foreign keys that say where they lead.

use protocol::ConfiguredStream;
use tokio_postgres::types::Type;
use util_postgres::{Database, PostgresError, quote_identifier, shorten_identifier};

use super::Made;
use crate::setup::alter::briefly;
use crate::setup::{Progress, say};
use crate::table::Table;

/// The first version of PostgreSQL with foreign keys that are not enforced.
const NOT_ENFORCED_SINCE: i32 = 180_000;

/// The columns by which rows are looked for: references, and `created`.
pub(in crate::setup) fn indexed_columns(configured: &ConfiguredStream, table: &Table) -> Vec<String> {
    let columns = table
        .columns
        .iter()
        .filter(|column| column.field == "created" || is_reference(configured, &column.field));
    columns.map(|column| column.name.clone()).collect()
}

/// Whether a field holds the id of another object, or the object itself.
pub(super) fn is_reference(configured: &ConfiguredStream, field: &str) -> bool {
    let schema = configured.stream.json_schema.as_ref();
    let property = schema.and_then(|schema| schema.get("properties")?.get(field));
    property.is_some_and(|property| property["x-expandable-reference"] == true)
}

/// A foreign key by which tools can draw the schema. PostgreSQL does not hold anybody to it: the object that a row
/// refers to may be deleted, hidden, or not synced yet.
struct ForeignKey<'c> {
    name: String,
    from: &'c Table,
    column: &'c str,
    to: &'c Table,
}

fn wanted<'c>(made: &[Made<'c>]) -> Vec<ForeignKey<'c>> {
    let keyed = |table: &Table| {
        let key: Vec<&str> = table.key.iter().map(|column| &*column.field).collect();
        key == ["id", "_account_id"]
    };
    let targets = || made.iter().map(|made| made.table).filter(|table| keyed(table));
    let mut keys = Vec::new();
    for Made { configured, table } in made.iter().filter(|made| keyed(made.table)) {
        for column in table.others().iter().filter(|column| is_reference(configured, &column.field)) {
            // A field is called as what it refers to, or refers to several kinds of things.
            if let Some(to) = targets().find(|to| to.stream == column.field) {
                let name = shorten_identifier(&format!("fk_{}_{}", table.stream, column.field));
                keys.push(ForeignKey { name, from: table, column: &column.name, to });
            }
        }
    }
    keys
}

/// Adds the foreign keys that are not there.
pub(in crate::setup) async fn foreign_keys(
    database: &Database,
    made: &[Made<'_>],
    progress: &Progress,
) -> Result<(), PostgresError> {
    let keys = wanted(made);
    let Some(schema) = keys.first().map(|key| &key.from.schema) else { return Ok(()) };
    let connection = database.connect().await?;
    let failed = |error| database.failure(error);
    let sql = "SELECT current_setting('server_version_num')::int";
    let version: i32 =
        connection.query_typed_one(sql, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)?;
    if version < NOT_ENFORCED_SINCE {
        let text = "foreign keys were left out: before PostgreSQL 18 they cannot be declared without being enforced, and \
                    rows may refer to objects that are deleted or not synced";
        say(progress, text.to_owned());
        return Ok(());
    }
    let there = "SELECT k.conname::text FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace \
                 WHERE n.nspname = $1 AND k.contype = 'f'";
    let rows = connection.query_typed(there, &[(schema, Type::TEXT)]).await.map_err(failed)?;
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    drop(connection);
    for ForeignKey { name, from, column, to } in keys.iter().filter(|key| !there.contains(&key.name)) {
        let sql = format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}, \"_account_id\") REFERENCES {} (\"id\", \"_account_id\") \
             NOT ENFORCED",
            from.qualified(),
            quote_identifier(name),
            quote_identifier(column),
            to.qualified(),
        );
        database.retrying("add foreign key", || briefly(database, &sql)).await?;
    }
    Ok(())
}
