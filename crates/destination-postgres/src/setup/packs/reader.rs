//! A role that may read the tables, and nothing else.

use tokio_postgres::types::Type;
use util_postgres::{Database, PostgresError, quote_identifier};

use crate::setup::alter::briefly;
use crate::table::Table;

/// Makes the role where there is none, without the right to log in: it is granted to those who read.
pub(super) async fn grant(
    database: &Database,
    schema: &str,
    role: &str,
    tables: &[Table],
) -> Result<(), PostgresError> {
    let failed = |error| database.failure(error);
    let connection = database.connect().await?;
    let there = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    let row = connection.query_typed_one(there, &[(&role, Type::TEXT)]).await;
    let exists: bool = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    let quoted = quote_identifier(role);
    if !exists {
        let created = connection.batch_execute(&format!("CREATE ROLE {quoted} NOLOGIN")).await;
        created.map_err(|error| {
            let error = failed(error);
            let text = format!("the role \"{role}\" of `packs.reader_role` could not be created: {error}");
            error.with_message(text)
        })?;
    }
    let names: Vec<String> = tables.iter().map(Table::shown).collect();
    let lacking =
        "SELECT name FROM unnest($2::text[]) AS name WHERE NOT has_table_privilege($1, name, 'SELECT')";
    let rows = connection.query_typed(lacking, &[(&role, Type::TEXT), (&names, Type::TEXT_ARRAY)]).await;
    let lacking: Vec<String> = rows.map_err(failed)?.iter().map(|row| row.get(0)).collect();
    let usage = "SELECT has_schema_privilege($1, $2, 'USAGE')";
    let row = connection.query_typed_one(usage, &[(&role, Type::TEXT), (&schema, Type::TEXT)]).await;
    let may_enter: bool = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    drop(connection);
    let mut sql = Vec::new();
    if !may_enter {
        sql.push(format!("GRANT USAGE ON SCHEMA {} TO {quoted}", quote_identifier(schema)));
    }
    if !lacking.is_empty() {
        sql.push(format!("GRANT SELECT ON {} TO {quoted}", lacking.join(", ")));
    }
    if sql.is_empty() {
        return Ok(());
    }
    let sql = sql.join("; ");
    database.retrying("grant", || briefly(database, &sql)).await
}
