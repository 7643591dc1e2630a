//! A database of PostgreSQL, which several machines may share.

use futures::future::join_all;
use tokio_postgres::types::{ToSql, Type};
use util_postgres::{Database, PostgresError};

use super::StoreError;
use super::database::Dialect;
use super::value::{Row, Rows, Statement, Value};

/// A database of PostgreSQL. Cloning shares its connections.
#[derive(Clone)]
pub(crate) struct PostgresStore {
    database: Database,
}

impl PostgresStore {
    pub(super) fn new(database: Database) -> PostgresStore {
        PostgresStore { database }
    }

    /// Runs the statements as one transaction; what passes by itself (a server that restarts, a deadlock) is tried again.
    /// A commit whose answer was lost is tried again, too; at worst a change is then told as not made although it was.
    pub(super) async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        let done = self.database.retrying("the service's store", || self.once(&statements)).await;
        match done {
            Ok(done) => done.ok_or(StoreError::Unmet),
            Err(error) => Err(StoreError::postgres(&error)),
        }
    }

    /// `None` where a statement that must change something did not.
    async fn once(&self, statements: &[Statement]) -> Result<Option<Vec<Rows>>, PostgresError> {
        let failed = |error| self.database.failure(error);
        let mut connection = self.database.connect().await?;
        if let [statement] = statements {
            let done = execute(&connection, statement).await.map_err(failed)?;
            return Ok((!statement.must_answer || !done.is_empty()).then(|| vec![done]));
        }
        let transaction = connection.transaction().await.map_err(failed)?;
        // Sent one behind the other, without waiting for each. The first that fails says why; those behind it only that something did.
        let all = join_all(statements.iter().map(|statement| execute(transaction.client(), statement))).await;
        let done: Vec<Rows> = all.into_iter().collect::<Result<_, _>>().map_err(failed)?;
        let unmet =
            statements.iter().zip(&done).any(|(statement, done)| statement.must_answer && done.is_empty());
        if unmet {
            transaction.rollback().await.map_err(failed)?;
            return Ok(None);
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Some(done))
    }
}

async fn execute(
    client: &tokio_postgres::Client,
    statement: &Statement,
) -> Result<Rows, tokio_postgres::Error> {
    let sql = Dialect::Postgres.translate(&statement.sql);
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = statement.values.iter().map(parameter).collect();
    let found = client.query_typed(&sql, &parameters).await?;
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        let values: Result<Vec<Value>, tokio_postgres::Error> = row
            .columns()
            .iter()
            .enumerate()
            .map(|(index, column)| value(row, index, column.type_()))
            .collect();
        rows.push(Row(values?));
    }
    Ok(rows)
}

fn parameter(value: &Value) -> (&(dyn ToSql + Sync), Type) {
    match value {
        Value::Int(number) => (number, Type::INT8),
        Value::Text(text) => (text, Type::TEXT),
        Value::Bytes(bytes) => (bytes, Type::BYTEA),
    }
}

fn value(row: &tokio_postgres::Row, index: usize, kind: &Type) -> Result<Value, tokio_postgres::Error> {
    Ok(match *kind {
        Type::INT4 => Value::Int(row.try_get::<_, Option<i32>>(index)?.map(i64::from)),
        Type::INT8 => Value::Int(row.try_get(index)?),
        Type::BYTEA => Value::Bytes(row.try_get(index)?),
        _ => Value::Text(row.try_get(index)?),
    })
}
