//! The suite that every destination must pass.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use destination_sqlite::SqliteDestination;
use protocol::{AnyDestination, Stream};
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use test_utils::conformance::Config;
use test_utils::conformance::destination::{DestinationFixture, Exactness, Rows, run_all};

struct Files {
    directory: TempDir,
    made: AtomicUsize,
}

fn config(path: &std::path::Path) -> Config {
    Map::from_iter([("path".to_owned(), Value::from(path.to_str().unwrap()))])
}

fn open(config: &Config) -> Connection {
    Connection::open(config["path"].as_str().unwrap()).unwrap()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl DestinationFixture for Files {
    fn destination(&self) -> Arc<dyn AnyDestination> {
        Arc::new(SqliteDestination)
    }

    fn exactness(&self) -> Exactness {
        Exactness::Text
    }

    async fn fresh(&self) -> anyhow::Result<Config> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Ok(config(&self.directory.path().join(format!("new/{number}/stripe.db"))))
    }

    async fn unusable(&self) -> anyhow::Result<Vec<Config>> {
        let text = self.directory.path().join("notes.txt");
        std::fs::write(&text, "This is a text of more than a few bytes, not a database. ".repeat(20))?;
        let empty = Map::from_iter([("path".to_owned(), json!(""))]);
        Ok(vec![empty, config(&text), config(self.directory.path()), config(&text.join("stripe.db"))])
    }

    async fn rows(&self, config: &Config, stream: &Stream) -> anyhow::Result<Option<Rows>> {
        if !std::path::Path::new(config["path"].as_str().unwrap()).exists() {
            return Ok(None);
        }
        let connection = open(config);
        let exists: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)",
            [&*stream.name],
            |row| row.get(0),
        )?;
        if !exists {
            return Ok(None);
        }
        let keys: Vec<String> = stream.key_fields().into_iter().map(quoted).collect();
        let sql = format!("SELECT _raw_data, {} FROM {}", keys.join(", "), quoted(&stream.name));
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| {
            let key = (1..=keys.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            Ok((key, row.get(0)?))
        })?;
        Ok(Some(rows.collect::<Result<_, _>>()?))
    }

    async fn make_foreign_table(&self, config: &Config) -> anyhow::Result<()> {
        open(config).execute_batch("CREATE TABLE theirs (value); INSERT INTO theirs VALUES (7)")?;
        Ok(())
    }

    async fn foreign_table_is_whole(&self, config: &Config) -> anyhow::Result<bool> {
        Ok(open(config).query_row("SELECT count(*) = 1 FROM theirs WHERE value = 7", [], |row| row.get(0))?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let fixture = Files { directory: TempDir::new().unwrap(), made: AtomicUsize::new(0) };
    run_all(&fixture).await.assert_passed();
}
