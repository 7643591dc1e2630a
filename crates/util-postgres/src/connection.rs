//! A borrowed connection, and transactions on it that also work through a pooler.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use deadpool::managed::Object;
use tokio_postgres::{Client, Error, Statement};

use crate::TransactionLimits;
use crate::database::Session;
use crate::dial::Dialer;

/// A borrowed connection; dropping it gives it back.
///
/// A pooler may be in between that hands each transaction to another session of the server (PgBouncer's
/// transaction mode, Supavisor). So nothing may be left in a session: outside of transactions only
/// [`Client::query_typed`], [`Client::simple_query`] and [`Client::batch_execute`] are safe, and nothing
/// is set but with `SET LOCAL`.
pub struct Connection {
    client: Object<Dialer>,
    limits: TransactionLimits,
}

impl Connection {
    pub(crate) fn new(client: Object<Dialer>, limits: TransactionLimits) -> Connection {
        Connection { client, limits }
    }

    /// Begins a transaction, under the limits that are configured.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        let transaction = self.client.transaction().await?;
        if let Some(sql) = self.limits.sql() {
            transaction.batch_execute(&sql).await?;
        }
        Ok(Transaction { statements: Statements::default(), transaction })
    }

    /// Takes the connection away from the pool: it closes once the client is dropped.
    pub fn take(connection: Connection) -> Session {
        Object::take(connection.client)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// A transaction on a [`Connection`]; dropping it rolls back.
pub struct Transaction<'connection> {
    // Dropped first: they are closed in the session that has them.
    statements: Statements,
    transaction: tokio_postgres::Transaction<'connection>,
}

/// Statements by their text.
#[derive(Default)]
struct Statements(Mutex<HashMap<String, Statement>>);

impl Statements {
    fn get(&self, sql: &str) -> Option<Statement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned()
    }

    fn keep(&self, sql: &str, statement: &Statement) {
        let mut statements = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        statements.insert(sql.to_owned(), statement.clone());
    }
}

impl Transaction<'_> {
    /// Prepares a statement once in this transaction. Not once per connection: behind a pooler another
    /// session might have a different statement of the same name, and run that.
    pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement);
        }
        let statement = self.transaction.prepare(sql).await?;
        self.statements.keep(sql, &statement);
        Ok(statement)
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), Error> {
        drop(self.statements);
        self.transaction.commit().await
    }

    /// Rolls back.
    pub async fn rollback(self) -> Result<(), Error> {
        drop(self.statements);
        self.transaction.rollback().await
    }

    /// Begins a part that can be rolled back by itself.
    pub async fn savepoint(&mut self, name: &str) -> Result<Transaction<'_>, Error> {
        let transaction = self.transaction.savepoint(name).await?;
        Ok(Transaction { statements: Statements::default(), transaction })
    }
}

impl<'connection> Deref for Transaction<'connection> {
    type Target = tokio_postgres::Transaction<'connection>;

    fn deref(&self) -> &tokio_postgres::Transaction<'connection> {
        &self.transaction
    }
}
