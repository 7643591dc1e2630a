//! The one way to a database: statements that succeed or fail together.

use std::fmt::Write as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use util_postgres::{Address, ConnectOptions, Database};

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::value::{Rows, Statement};
use super::{StoreError, migrations};

/// Where the schema lies in PostgreSQL.
pub(super) const SCHEMA: &str = "sync_service";

/// Connections to PostgreSQL: enough that webhooks never wait for what the API or a pipeline asks.
const CONNECTIONS: usize = 8;

/// A database, of either sort.
#[derive(Clone)]
pub(crate) enum Db {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// How a database writes what differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Db {
    /// Opens, and creates if need be, a file of SQLite.
    pub(crate) async fn file(path: &Path) -> Result<Db, StoreError> {
        let db = Db::Sqlite(SqliteStore::open(path).await?);
        migrations::apply(&db).await?;
        Ok(db)
    }

    /// Connects to a database of PostgreSQL, and creates the schema if need be.
    pub(crate) async fn postgres(url: &SecretString) -> Result<Db, StoreError> {
        let options = ConnectOptions {
            application_name: "sync-service".to_owned(),
            connections: CONNECTIONS,
            ..ConnectOptions::default()
        };
        let database =
            Address::parse(url.expose_secret()).and_then(|address| Database::new(&address, &options));
        let db = Db::Postgres(PostgresStore::new(database.map_err(|error| StoreError::postgres(&error))?));
        migrations::apply(&db).await?;
        Ok(db)
    }

    /// Runs statements as one transaction that writes.
    pub(crate) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        match self {
            Db::Sqlite(store) => store.write(statements).await,
            Db::Postgres(store) => Box::pin(store.run(statements)).await,
        }
    }

    /// Runs one statement that writes.
    pub(crate) async fn write_one(&self, statement: Statement) -> Result<Rows, StoreError> {
        Ok(self.write(vec![statement]).await?.pop().unwrap_or_default())
    }

    /// Runs one statement that only reads.
    pub(crate) async fn read(&self, statement: Statement) -> Result<Rows, StoreError> {
        match self {
            Db::Sqlite(store) => store.read(statement).await,
            Db::Postgres(store) => Ok(Box::pin(store.run(vec![statement])).await?.pop().unwrap_or_default()),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Db::Sqlite(_) => Dialect::Sqlite,
            Db::Postgres(_) => Dialect::Postgres,
        }
    }
}

impl Dialect {
    /// The statement in the words of this database.
    pub(super) fn translate(self, sql: &str) -> String {
        let mut out = String::with_capacity(sql.len() + 64);
        let mut rest = sql;
        while let Some(at) = rest.find(['@', '$']) {
            out.push_str(&rest[..at]);
            let sign = &rest[at..=at];
            let tail = &rest[at + 1..];
            let length = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len());
            let word = &tail[..length];
            // Writing to a string cannot fail.
            let _ = match (sign, word, self) {
                ("$", number, Dialect::Sqlite) => write!(out, "?{number}"),
                ("$", number, Dialect::Postgres) => write!(out, "${number}"),
                (_, "now", Dialect::Sqlite) => write!(out, "cast(unixepoch('subsec') * 1000 as integer)"),
                (_, "now", Dialect::Postgres) => {
                    write!(out, "(extract(epoch from clock_timestamp()) * 1000)::bigint")
                }
                (_, "bytes", Dialect::Sqlite) => write!(out, "blob"),
                (_, "bytes", Dialect::Postgres) => write!(out, "bytea"),
                (_, "sequence", Dialect::Sqlite) => write!(out, "integer primary key autoincrement"),
                (_, "sequence", Dialect::Postgres) => {
                    write!(out, "bigint generated always as identity primary key")
                }
                (_, table, Dialect::Sqlite) => write!(out, "{table}"),
                (_, table, Dialect::Postgres) => write!(out, "{SCHEMA}.{table}"),
            };
            rest = &tail[length..];
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_becomes_two() {
        let sql = "update @leases as l set until = @now + $2 where id = $1 and l.a <> '$'";
        assert_eq!(
            Dialect::Sqlite.translate(sql),
            "update leases as l set until = cast(unixepoch('subsec') * 1000 as integer) + ?2 where id = ?1 and l.a <> '?'"
        );
        assert_eq!(
            Dialect::Postgres.translate(sql),
            "update sync_service.leases as l set until = (extract(epoch from clock_timestamp()) * 1000)::bigint + $2 \
             where id = $1 and l.a <> '$'"
        );
    }
}
