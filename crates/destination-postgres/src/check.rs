//! Whether the destination would work.

use protocol::{ConnectorError, ErrorKind};
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;
use util_postgres::{Database, quote_identifier};

use crate::failure::connector_error;

/// Looks whether the role has the rights that setup and write need, then does what they do in a transaction that is
/// rolled back: creates the schema where it is missing, a table, and a row.
pub(crate) async fn run(database: &Database, schema: &str) -> Result<(), ConnectorError> {
    let mut connection = database.connect().await.map_err(connector_error)?;
    let failed = |error| {
        let error = database.failure(error);
        let text = format!("schema \"{schema}\" cannot be written. {error}");
        connector_error(error.with_message(text))
    };
    let transaction = connection.transaction().await.map_err(failed)?;
    let lacking = lacking(&*transaction, schema).await.map_err(failed)?;
    if !lacking.is_empty() {
        let text = format!(
            "schema \"{schema}\" at {} cannot be written: the role lacks rights. Let the owner run: {};",
            database.place(),
            lacking.join("; ")
        );
        return Err(ConnectorError::new(ErrorKind::Auth, text));
    }
    let proof = async {
        let quoted = quote_identifier(schema);
        let known = "SELECT to_regnamespace($1) IS NOT NULL";
        if !transaction.query_typed_one(known, &[(&quoted, Type::TEXT)]).await?.try_get::<_, bool>(0)? {
            transaction.batch_execute(&format!("CREATE SCHEMA {quoted}")).await?;
        }
        // A name of its own for each check: two at once must not wait for each other.
        let table = format!("{quoted}.\"_sync_check_{}\"", jiff::Timestamp::now().as_nanosecond());
        let sql = format!(
            "CREATE TABLE {table} (_raw_data jsonb NOT NULL, id text GENERATED ALWAYS AS (_raw_data->>'id') STORED); \
             INSERT INTO {table} (_raw_data) VALUES ('{{\"id\": \"1\"}}')"
        );
        transaction.batch_execute(&sql).await
    };
    proof.await.map_err(failed)?;
    transaction.rollback().await.map_err(failed)
}

/// The statements that would give the role what it lacks: on the schema, or on the database where there is no schema
/// yet, and on the tables of syncs that are there.
async fn lacking(client: &impl GenericClient, schema: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    const SQL: &str = "WITH place AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = $1),
        lacking (at, statement) AS (
            SELECT 1, format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
            WHERE NOT EXISTS (SELECT FROM place) AND NOT has_database_privilege(current_database(), 'CREATE')
          UNION ALL
            SELECT 2, format('GRANT %s ON SCHEMA %I TO %I', wanted.right, nspname, current_user)
            FROM place, unnest(ARRAY['USAGE', 'CREATE']) AS wanted (\"right\")
            WHERE NOT has_schema_privilege(oid, wanted.right)
          UNION ALL
            SELECT 3, format('GRANT %s ON %I.%I TO %I', string_agg(wanted.right, ', ' ORDER BY place_of_right),
                             nspname, relname, current_user)
            FROM place JOIN pg_class AS c ON c.relnamespace = place.oid AND c.relkind IN ('r', 'p'),
                 unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS wanted (\"right\", place_of_right)
            WHERE (relname LIKE '\\_sync\\_%' OR EXISTS (SELECT FROM pg_attribute AS a
                      WHERE a.attrelid = c.oid AND a.attname = '_raw_data' AND NOT a.attisdropped))
              AND NOT has_table_privilege(c.oid, wanted.right)
            GROUP BY nspname, relname)
        SELECT statement FROM lacking ORDER BY at, statement";
    let rows = client.query_typed(SQL, &[(&schema, Type::TEXT)]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
