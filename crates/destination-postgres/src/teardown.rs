//! Removing what setup made, and nothing else.

use protocol::{ConnectorError, ErrorKind, LogLevel, Message, counted};
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use util_postgres::shared_rate::TABLE as SHARED_RATE_TABLE;
use util_postgres::{Database, quote_identifier};

use crate::failure::connector_error;
use crate::setup;
use crate::table::{late, record};

/// Fails for schemas that are PostgreSQL's own. In `public` only our tables are dropped, as anywhere.
pub(crate) fn refuse_protected(schema: &str) -> Result<(), ConnectorError> {
    if schema == "information_schema" || schema.starts_with("pg_") {
        let text = format!(
            "Refusing to drop protected schema \"{schema}\" — teardown only drops user-created schemas"
        );
        return Err(ConnectorError::new(ErrorKind::Config, text));
    }
    Ok(())
}

/// Drops the tables that setup recorded, and the schema where setup made it and nothing is left in it.
pub(crate) async fn run(database: &Database, schema: &str) -> Result<Vec<Message>, ConnectorError> {
    let mut connection = database.connect().await.map_err(connector_error)?;
    let failed = |error| {
        let error = database.failure(error);
        let detail = error.refusal().and_then(|refusal| refusal.detail()).unwrap_or_default();
        let text = format!("schema \"{schema}\" was not torn down, nothing was dropped. {error} {detail}");
        connector_error(error.with_message(text.trim_end()))
    };
    let dropped = async {
        let mut transaction = connection.transaction().await?;
        setup::alone(&transaction, schema).await?;
        // Everybody who comes after it waits with it.
        transaction.batch_execute("SET LOCAL lock_timeout = '5s'").await?;
        let Some(mut made) = record::read(&*transaction, schema).await? else { return Ok(None) };
        if made.tables.iter().any(|name| name == late::TABLE)
            && late::forget(&*transaction, schema, &made.tables).await?
        {
            // Tables that stay have columns which a trigger fills; a later setup must know of them.
            made.tables.retain(|name| name != late::TABLE);
        }
        let quoted = quote_identifier(schema);
        let views = views(&*transaction, schema, &made.tables).await?;
        for view in &views {
            transaction.batch_execute(&format!("DROP VIEW {quoted}.{}", quote_identifier(view))).await?;
        }
        let tables = made.tables.iter().filter(|name| !views.contains(name));
        let names = tables.map(String::as_str).chain([record::TABLE, SHARED_RATE_TABLE]);
        let names: Vec<String> = names.map(|name| format!("{quoted}.{}", quote_identifier(name))).collect();
        transaction.batch_execute(&format!("DROP TABLE IF EXISTS {}", names.join(", "))).await?;
        for name in &made.tables {
            let function = late::function(schema, name);
            transaction.batch_execute(&format!("DROP FUNCTION IF EXISTS {function}()")).await?;
        }
        let mut schema_dropped = false;
        if made.schema {
            let attempt = transaction.savepoint("schema").await?;
            match attempt.batch_execute(&format!("DROP SCHEMA {quoted}")).await {
                Ok(()) => {
                    attempt.commit().await?;
                    schema_dropped = true;
                }
                Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                    attempt.rollback().await?;
                }
                Err(error) => return Err(error),
            }
        }
        transaction.commit().await?;
        Ok(Some((made, schema_dropped)))
    };
    let text = match dropped.await.map_err(failed)? {
        None => format!("schema \"{schema}\" holds nothing that setup made"),
        Some((made, schema_too)) => {
            let tables = counted(made.tables.len(), "table");
            format!("dropped {tables} {} the schema \"{schema}\"", if schema_too { "and" } else { "of" })
        }
    };
    Ok(vec![Message::log(LogLevel::Info, text)])
}

/// Which of the names are views: they go before the tables that they are made of.
async fn views(
    client: &impl GenericClient,
    schema: &str,
    names: &[String],
) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind = 'v'";
    client.query(sql, &[&schema, &names]).await?.iter().map(|row| row.try_get(0)).collect()
}
