//! How a table shows the fields of a payload.

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio_postgres::{Error, GenericClient};
use util_postgres::quote_identifier;

use super::Table;

/// How the fields of a stream's schema become columns. All three show the same names; the payload is whole in each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// Generated columns, as the TypeScript engine has them: PostgreSQL computes them from the payload. A value that
    /// does not fit its column fails the stream and is named.
    #[default]
    Generated,
    /// Plain columns of the same names, types and values, filled by the writer. For readers that need real columns,
    /// such as logical replication.
    Typed,
    /// A table `_raw_<stream>` of keys and payloads, and a view of the stream's name that computes the columns as they
    /// are read. Writes and stores the least; a value that does not fit its column is shown as NULL.
    View,
}

impl fmt::Display for Projection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Projection::Generated => "generated",
            Projection::Typed => "typed",
            Projection::View => "view",
        })
    }
}

/// Why the tables cannot be set up, where one of them exists in another projection. Nothing converts one into
/// another: that would be a migration of all rows under the readers' feet.
pub(crate) async fn conflict(client: &impl GenericClient, tables: &[Table]) -> Result<Option<String>, Error> {
    let Some(first) = tables.first() else { return Ok(None) };
    let names: Vec<String> = tables.iter().map(Table::shown_name).collect();
    let existing = existing(client, &first.schema, &names).await?;
    let other = tables.iter().find_map(|table| {
        let existing = existing.get(&table.shown_name())?;
        (*existing != table.projection).then_some((table, existing))
    });
    Ok(other.map(|(table, existing)| {
        let schema = &table.schema;
        format!(
            "{}.{} has the projection \"{existing}\", but the configuration says \"{}\". Set `projection` to \
             \"{existing}\"; or choose another `schema` and sync again; or run teardown, which drops the tables of \
             schema \"{schema}\" that setup made, and sync again.",
            quote_identifier(schema),
            quote_identifier(&table.shown_name()),
            table.projection
        )
    }))
}

/// The projections of what has these names. What is no table of a sync has none.
async fn existing(
    client: &impl GenericClient,
    schema: &str,
    names: &[String],
) -> Result<HashMap<String, Projection>, Error> {
    const SQL: &str = "SELECT c.relname::text, c.relkind = 'v',
            EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'p', 'v')
            AND EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = '_raw_data' AND NOT a.attisdropped)";
    let rows = client.query(SQL, &[&schema, &names]).await?;
    let projections = rows.iter().map(|row| {
        let projection = match (row.try_get(1)?, row.try_get(2)?) {
            (true, _) => Projection::View,
            (_, true) => Projection::Generated,
            _ => Projection::Typed,
        };
        Ok((row.try_get(0)?, projection))
    });
    projections.collect()
}
