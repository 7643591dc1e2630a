//! Bringing a schema up to date, once per step, whoever else does it at the same time.
//!
//! What was done is in `_migrations`, in upstream's shape (`id`, `name`, `hash`, `executed_at`), and beside upstream's
//! own rows: they have the ids 0 to 3 and negative ones, ours begin at 1000. A step is known by its name. Nothing is ever
//! dropped, not even where `_migrations` is empty or a hash is not the expected one.

use sha1::{Digest, Sha1};
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use util_postgres::{Database, PostgresError, quote_identifier};

use crate::StateTable;

/// Name of the table.
pub const MIGRATIONS_TABLE: &str = "_migrations";

/// One step, in the order of ids.
struct Migration {
    id: i32,
    name: &'static str,
    /// What it does in a schema; must do nothing where that is done already, by upstream or by setup.
    sql: fn(schema: &str) -> String,
}

const MIGRATIONS: &[Migration] = &[Migration {
    id: 1000,
    name: "sync-engine: state of syncs",
    sql: |schema| StateTable::in_schema(schema).create_sql(),
}];

/// Does the steps that were not done in `schema`, which is created where it is missing; all or nothing. Answers
/// how many they were.
pub async fn migrate(database: &Database, schema: &str) -> Result<usize, PostgresError> {
    let mut connection = database.connect().await?;
    let done = async {
        let transaction = connection.transaction().await?;
        let done = run(&*transaction, schema).await?;
        transaction.commit().await?;
        Ok(done)
    };
    done.await.map_err(|error| {
        let error = database.failure(error);
        let text =
            format!("schema \"{schema}\" could not be brought up to date, nothing was changed. {error}");
        error.with_message(text)
    })
}

async fn run(client: &impl GenericClient, schema: &str) -> Result<usize, tokio_postgres::Error> {
    // The lock of setup and teardown.
    let lock = format!("sync-engine setup {schema}");
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    client.query_typed(sql, &[(&lock, Type::TEXT)]).await?;
    let quoted = quote_identifier(schema);
    let table = format!("{quoted}.{}", quote_identifier(MIGRATIONS_TABLE));
    let there = "SELECT to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL";
    let row = client.query_typed_one(there, &[(&quoted, Type::TEXT), (&table, Type::TEXT)]).await?;
    // Even `IF NOT EXISTS` would ask for the right to create.
    if !row.try_get::<_, bool>(0)? {
        client.batch_execute(&format!("CREATE SCHEMA {quoted}")).await?;
    }
    if !row.try_get::<_, bool>(1)? {
        let sql = format!(
            "CREATE TABLE {table} (id integer PRIMARY KEY, name varchar(100) UNIQUE NOT NULL, \
             hash varchar(40) NOT NULL, executed_at timestamp DEFAULT current_timestamp)"
        );
        client.batch_execute(&sql).await?;
    }
    // An older shape of upstream's table has names only.
    let sql = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = ($1::text)::regclass AND attname = 'migration_name')";
    let names_only: bool = client.query_typed_one(sql, &[(&table, Type::TEXT)]).await?.try_get(0)?;
    let columns = if names_only { "migration_name::text, NULL" } else { "name::text, hash::text" };
    let named = format!("SELECT {columns} FROM {table}");
    let mut known = Vec::new();
    for row in client.query_typed(&named, &[]).await? {
        known.push((row.try_get::<_, Option<String>>(0)?, row.try_get::<_, Option<String>>(1)?));
    }
    let mut done = 0;
    for Migration { id, name, sql } in MIGRATIONS {
        // Of the text before the schema's name is put in: a schema may be renamed.
        let hash = hex::encode(Sha1::digest(format!("{name}{}", sql(""))));
        if let Some((_, before)) = known.iter().find(|(known, _)| known.as_deref() == Some(name)) {
            if before.as_ref().is_some_and(|before| *before != hash) {
                tracing::warn!(
                    schema,
                    migration = name,
                    "was done by another version in another way; left as it is"
                );
            }
            continue;
        }
        client.batch_execute(&sql(schema)).await?;
        if names_only {
            let insert = format!("INSERT INTO {table} (migration_name) VALUES ($1)");
            client.execute_typed(&insert, &[(name, Type::TEXT)]).await?;
        } else {
            let insert = format!("INSERT INTO {table} (id, name, hash) VALUES ($1, $2, $3)");
            let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                [(id, Type::INT4), (name, Type::TEXT), (&hash, Type::TEXT)];
            client.execute_typed(&insert, &parameters).await?;
        }
        done += 1;
    }
    Ok(done)
}
