//! Where a run writes, and what is there afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::canonical::identify;
use crate::truth::Rows;

/// The schema that runs write to in PostgreSQL.
const SCHEMA: &str = "stripe";

/// The id of a row, and that of its parent where it is a child.
pub type RowKey = (String, Option<String>);

/// When Stripe told the rows of a table, in unix seconds. Where objects say themselves when they were
/// updated, it is that.
pub type Told = BTreeMap<RowKey, i64>;

/// What a stored state says is left to read of a stream.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamPosition {
    /// The parts that are left.
    pub remaining: Vec<serde_json::Value>,
}

/// A row that was told again and had not changed keeps its payload; then its column says since when it is known so.
fn when_told(payload: &str, since: i64) -> Result<(RowKey, i64)> {
    #[derive(Deserialize)]
    struct Stamped {
        id: String,
        _parent_id: Option<String>,
        _updated_at: i64,
    }
    let stamped: Stamped = serde_json::from_str(payload)?;
    Ok(((stamped.id, stamped._parent_id), stamped._updated_at.max(since)))
}

/// A database that a run writes to.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A connection string.
    Postgres(String),
}

impl Database {
    /// The flags that make `sync-engine` write here.
    pub fn flags(&self) -> Vec<String> {
        match self {
            Database::Sqlite(path) => vec!["--sqlite".to_owned(), path.display().to_string()],
            Database::Postgres(url) => {
                vec!["--postgres-url".to_owned(), url.clone(), "--schema".to_owned(), SCHEMA.to_owned()]
            }
        }
    }

    /// The rows of the named tables; a table that does not exist has none.
    pub async fn rows(&self, tables: &[&str]) -> Result<BTreeMap<String, Rows>> {
        let mut found = BTreeMap::new();
        for table in tables {
            let texts = self.payloads(table).await.with_context(|| format!("reading {table}"))?;
            let rows: Result<Rows> = texts.iter().map(|(text, _)| identify(text.as_bytes())).collect();
            found.insert((*table).to_owned(), rows.with_context(|| format!("reading {table}"))?);
        }
        Ok(found)
    }

    /// When Stripe told the rows of the named tables, in unix seconds; a table that does not exist has none.
    pub async fn told(&self, tables: &[&str]) -> Result<BTreeMap<String, Told>> {
        let mut found = BTreeMap::new();
        for table in tables {
            let texts = self.payloads(table).await.with_context(|| format!("reading {table}"))?;
            let told: Result<Told> = texts.iter().map(|(text, since)| when_told(text, *since)).collect();
            found.insert((*table).to_owned(), told.with_context(|| format!("reading {table}"))?);
        }
        Ok(found)
    }

    /// The stored states of the streams.
    pub async fn states(&self) -> Result<BTreeMap<String, StreamPosition>> {
        let read = |state: &str| serde_json::from_str(state).context("reading a state");
        let mut found = BTreeMap::new();
        match self {
            Database::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path)?;
                let mut statement =
                    connection.prepare("select stream, state from _sync_state where stream <> '_global'")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    found.insert(row.get(0)?, read(&row.get::<_, String>(1)?)?);
                }
            }
            Database::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
                let connection = tokio::spawn(connection);
                let table = format!("\"{SCHEMA}\"._sync_state");
                let states = format!("select stream, state::text from {table} where stream <> '_global'");
                for row in client.query(&states, &[]).await? {
                    found.insert(row.get(0), read(row.get(1))?);
                }
                drop(client);
                connection.await??;
            }
        }
        Ok(found)
    }

    /// Payloads, each with the seconds in its column `_updated_at`; SQLite's payloads say it themselves.
    async fn payloads(&self, table: &str) -> Result<Vec<(String, i64)>> {
        match self {
            Database::Sqlite(path) => {
                if !path.exists() {
                    return Ok(Vec::new());
                }
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                let known =
                    "select count(*) from sqlite_schema where type in ('table', 'view') and name = ?1";
                if connection.query_row(known, [table], |row| row.get::<_, i64>(0))? == 0 {
                    return Ok(Vec::new());
                }
                let mut statement = connection.prepare(&format!("select _raw_data from \"{table}\""))?;
                let texts =
                    statement.query_map([], |row| Ok((row.get(0)?, 0)))?.collect::<rusqlite::Result<_>>()?;
                Ok(texts)
            }
            Database::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
                let connection = tokio::spawn(connection);
                let known = "select to_regclass($1)::text";
                let name = format!("\"{SCHEMA}\".\"{table}\"");
                let exists: Option<String> = client.query_one(known, &[&name]).await?.get(0);
                let mut texts = Vec::new();
                if exists.is_some() {
                    let rows = format!(
                        "select _raw_data::text, extract(epoch from _updated_at)::bigint from {name}"
                    );
                    for row in client.query(&rows, &[]).await? {
                        texts.push((row.get(0), row.get(1)));
                    }
                }
                drop(client);
                connection.await??;
                Ok(texts)
            }
        }
    }
}
