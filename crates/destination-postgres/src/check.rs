//! Whether the destination would work.

use protocol::ConnectorError;
use util_postgres::{Database, quote_identifier};

use crate::failure::connector_error;

/// Does what setup and write do, in a transaction that is rolled back: creates the schema where it
/// is missing, a table, and a row.
pub(crate) async fn run(database: &Database, schema: &str) -> Result<(), ConnectorError> {
    let mut connection = database.connect().await.map_err(connector_error)?;
    let proof = async {
        let transaction = connection.transaction().await?;
        let quoted = quote_identifier(schema);
        let known = transaction.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&quoted]).await?;
        if !known.try_get::<_, bool>(0)? {
            transaction.batch_execute(&format!("CREATE SCHEMA {quoted}")).await?;
        }
        // A name of its own for each check: two at once must not wait for each other.
        let table = format!("{quoted}.\"_sync_check_{}\"", jiff::Timestamp::now().as_nanosecond());
        let sql = format!(
            "CREATE TABLE {table} (_raw_data jsonb NOT NULL, id text GENERATED ALWAYS AS (_raw_data->>'id') STORED); \
             INSERT INTO {table} (_raw_data) VALUES ('{{\"id\": \"1\"}}')"
        );
        transaction.batch_execute(&sql).await?;
        transaction.rollback().await
    };
    proof.await.map_err(|error| {
        let error = database.failure(error);
        let text = format!("schema \"{schema}\" cannot be written. {error}");
        connector_error(error.with_message(text))
    })
}
