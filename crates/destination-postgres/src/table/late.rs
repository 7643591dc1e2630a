//! Columns that a table gained when it held many rows already.
//!
//! A stored generated column cannot be added without rewriting the table while nobody may use it. So
//! these are plain columns of the same name and type: a trigger fills them whenever a payload is written, and setup
//! fills them in the rows that were there. The table `_sync_columns` remembers which they are.

use std::collections::HashMap;
use std::fmt::Write as _;

use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};
use util_postgres::{quote_identifier, shorten_identifier};

use super::Table;

/// The table that remembers them.
pub(crate) const TABLE: &str = "_sync_columns";

/// Name of the trigger.
const TRIGGER: &str = "_sync_fill";

/// A column that a trigger fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LateColumn {
    pub(crate) name: String,
    /// What it is computed from, in terms of `_raw_data`.
    pub(crate) expression: String,
    /// Whether the rows that were there before it have it.
    pub(crate) filled: bool,
}

fn qualified(schema: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(TABLE))
}

/// The statement that creates the table.
pub(crate) fn create_sql(schema: &str) -> String {
    format!(
        "CREATE TABLE {} (table_name text NOT NULL, column_name text NOT NULL, expression text NOT NULL, \
         filled boolean NOT NULL DEFAULT false, PRIMARY KEY (table_name, column_name))",
        qualified(schema)
    )
}

/// What is remembered, by table. The table must exist.
pub(crate) async fn read(
    client: &impl GenericClient,
    schema: &str,
) -> Result<HashMap<String, Vec<LateColumn>>, Error> {
    let sql = format!(
        "SELECT table_name, column_name, expression, filled FROM {} ORDER BY table_name, column_name",
        qualified(schema)
    );
    let mut late: HashMap<String, Vec<LateColumn>> = HashMap::new();
    for row in client.query_typed(&sql, &[]).await? {
        let column =
            LateColumn { name: row.try_get(1)?, expression: row.try_get(2)?, filled: row.try_get(3)? };
        late.entry(row.try_get(0)?).or_default().push(column);
    }
    Ok(late)
}

/// Remembers that a trigger fills exactly these columns of a table.
pub(crate) async fn remember(
    client: &impl GenericClient,
    table: &Table,
    columns: &[LateColumn],
) -> Result<(), Error> {
    let remembered = qualified(&table.schema);
    let forget = format!("DELETE FROM {remembered} WHERE table_name = $1");
    client.execute_typed(&forget, &[(&table.name, Type::TEXT)]).await?;
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let expressions: Vec<&str> = columns.iter().map(|column| &*column.expression).collect();
    let filled: Vec<bool> = columns.iter().map(|column| column.filled).collect();
    let sql = format!(
        "INSERT INTO {remembered} (table_name, column_name, expression, filled) \
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::boolean[])"
    );
    client
        .execute_typed(
            &sql,
            &[
                (&table.name, Type::TEXT),
                (&names, Type::TEXT_ARRAY),
                (&expressions, Type::TEXT_ARRAY),
                (&filled, Type::BOOL_ARRAY),
            ],
        )
        .await
        .map(drop)
}

/// Remembers that the rows have all of a table's columns now.
pub(crate) async fn filled(client: &impl GenericClient, table: &Table) -> Result<(), Error> {
    let sql = format!("UPDATE {} SET filled = true WHERE table_name = $1", qualified(&table.schema));
    client.execute_typed(&sql, &[(&table.name, Type::TEXT)]).await.map(drop)
}

/// Forgets the columns of tables that go. Answers whether those of other tables are left.
pub(crate) async fn forget(
    client: &impl GenericClient,
    schema: &str,
    tables: &[String],
) -> Result<bool, Error> {
    let remembered = qualified(schema);
    let sql = format!("DELETE FROM {remembered} WHERE table_name = ANY ($1)");
    client.execute_typed(&sql, &[(&tables, Type::TEXT_ARRAY)]).await?;
    let sql = format!("SELECT EXISTS (SELECT FROM {remembered})");
    client.query_typed_one(&sql, &[]).await?.try_get(0)
}

/// `"schema"."function"` of a table's trigger.
pub(crate) fn function(schema: &str, table: &str) -> String {
    let name = shorten_identifier(&format!("{TRIGGER}_{table}"));
    format!("{}.{}", quote_identifier(schema), quote_identifier(&name))
}

/// The statements after which a trigger fills these columns.
pub(crate) fn trigger_sql(table: &Table, columns: &[LateColumn]) -> String {
    let (function, target) = (function(&table.schema, &table.name), table.qualified());
    let mut body = String::new();
    for LateColumn { name, expression, .. } in columns {
        let _ = writeln!(body, "  NEW.{} := {expression};", quote_identifier(name));
    }
    // A tag that no name of a field can end.
    let tag = (0..).map(|number| format!("$fill{number}$")).find(|tag| !body.contains(&**tag));
    let tag = tag.unwrap_or_default();
    let trigger = quote_identifier(TRIGGER);
    format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {tag}\n\
         DECLARE\n  _raw_data jsonb := NEW._raw_data;\nBEGIN\n{body}  RETURN NEW;\nEND\n{tag};\n\
         CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE OF \"_raw_data\" ON {target} \
         FOR EACH ROW EXECUTE FUNCTION {function}();\n"
    )
}
