//! The table `_sync_tables`: what setup made, so that teardown drops that and nothing else.

use tokio_postgres::{Error, GenericClient};
use util_postgres::quote_identifier;

/// Its name.
pub(crate) const TABLE: &str = "_sync_tables";

/// What setup made in a schema.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Whether it made the schema itself.
    pub(crate) schema: bool,
    /// Names of the tables.
    pub(crate) tables: Vec<String>,
}

fn qualified(schema: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(TABLE))
}

/// The statement that creates the table.
pub(crate) fn create_sql(schema: &str) -> String {
    format!(
        "CREATE TABLE {} (kind text NOT NULL CHECK (kind IN ('schema', 'table')), name text NOT NULL, \
         created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (kind, name))",
        qualified(schema)
    )
}

/// Adds what setup has just made.
pub(crate) async fn add(client: &impl GenericClient, schema: &str, made: &Made) -> Result<(), Error> {
    let table = qualified(schema);
    let sql = format!(
        "INSERT INTO {table} (kind, name) SELECT 'table', made FROM unnest($1::text[]) AS made \
         UNION ALL SELECT 'schema', $2 WHERE $3 ON CONFLICT DO NOTHING"
    );
    client.execute(&sql, &[&made.tables, &schema, &made.schema]).await.map(drop)
}

/// What setup made; `None` where it never ran.
pub(crate) async fn read(client: &impl GenericClient, schema: &str) -> Result<Option<Made>, Error> {
    let there = "SELECT to_regclass($1) IS NOT NULL";
    if !client.query_one(there, &[&qualified(schema)]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let sql = format!("SELECT kind, name FROM {} ORDER BY name", qualified(schema));
    let mut made = Made::default();
    for row in client.query(&sql, &[]).await? {
        match row.try_get(0)? {
            "schema" => made.schema = true,
            _ => made.tables.push(row.try_get(1)?),
        }
    }
    Ok(Some(made))
}
