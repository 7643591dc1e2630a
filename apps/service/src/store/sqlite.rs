//! A file of SQLite: one thread writes, another reads.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::database::Dialect;
use super::value::{Row, Rows, Statement, Value};

/// How long a transaction waits for one of another process.
const BUSY: Duration = Duration::from_secs(10);

/// Transactions that wait for their turn; whoever comes after that waits to get in line.
const WAITING: usize = 1024;

/// Statements that stay prepared.
const PREPARED: usize = 256;

type Answer = oneshot::Sender<Result<Vec<Rows>, StoreError>>;

struct Job {
    statements: Vec<Statement>,
    answer: Answer,
}

/// A file of SQLite. Cloning shares its threads, which end with the last clone.
#[derive(Clone)]
pub(crate) struct SqliteStore {
    writer: mpsc::Sender<Job>,
    reader: mpsc::Sender<Job>,
}

impl SqliteStore {
    /// Opens the file, and creates it if it is not there. Nobody else on the machine may read it.
    pub(super) async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let place = path.display().to_string();
        let (first, second) = (path.to_owned(), path.to_owned());
        let opened =
            tokio::task::spawn_blocking(move || Ok((connect(&first, true)?, connect(&second, false)?)));
        let opened: Result<(Connection, Connection), rusqlite::Error> =
            opened.await.map_err(|_| StoreError::broken("opening the store was interrupted"))?;
        let (writer, reader) = opened.map_err(|error| StoreError::sqlite_at(&place, &error))?;
        Ok(SqliteStore { writer: work(writer, true), reader: work(reader, false) })
    }

    pub(super) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        ask(&self.writer, statements).await
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Rows, StoreError> {
        Ok(ask(&self.reader, vec![statement]).await?.pop().unwrap_or_default())
    }
}

async fn ask(line: &mpsc::Sender<Job>, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
    let (answer, answered) = oneshot::channel();
    let gone = || StoreError::broken("the store was closed");
    line.send(Job { statements, answer }).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

fn connect(path: &Path, writes: bool) -> Result<Connection, rusqlite::Error> {
    if writes {
        create_private(path);
    }
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What was acknowledged survives a power failure, too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Creates the file so that only its owner can read it. Where that fails, opening it says why.
fn create_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
}

fn work(mut connection: Connection, writes: bool) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(WAITING);
    std::thread::spawn(move || {
        while let Some(Job { statements, answer }) = jobs.blocking_recv() {
            let done = run(&mut connection, &statements, writes);
            // Whoever asked may have gone away.
            let _ = answer.send(done);
        }
    });
    sender
}

fn run(connection: &mut Connection, statements: &[Statement], writes: bool) -> Result<Vec<Rows>, StoreError> {
    let behavior = if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
    let transaction =
        connection.transaction_with_behavior(behavior).map_err(|error| StoreError::sqlite(&error))?;
    let mut done = Vec::with_capacity(statements.len());
    for statement in statements {
        let outcome = execute(&transaction, statement).map_err(|error| StoreError::sqlite(&error))?;
        if statement.must_answer && outcome.is_empty() {
            return Err(StoreError::Unmet);
        }
        done.push(outcome);
    }
    transaction.commit().map_err(|error| StoreError::sqlite(&error))?;
    Ok(done)
}

fn execute(connection: &Connection, statement: &Statement) -> Result<Rows, rusqlite::Error> {
    let mut prepared = connection.prepare_cached(&Dialect::Sqlite.translate(&statement.sql))?;
    let columns = prepared.column_count();
    let parameters = rusqlite::params_from_iter(statement.values.iter());
    if columns == 0 {
        prepared.execute(parameters)?;
        return Ok(Vec::new());
    }
    let mut found = prepared.query(parameters)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values: Result<Vec<Value>, rusqlite::Error> =
            (0..columns).map(|column| Ok(value(row.get_ref(column)?))).collect();
        rows.push(Row(values?));
    }
    Ok(rows)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Int(None),
        ValueRef::Integer(number) => Value::Int(Some(number)),
        // No statement of ours answers one.
        ValueRef::Real(number) => Value::Int(Some(number as i64)),
        ValueRef::Text(text) => Value::Text(Some(String::from_utf8_lossy(text).into_owned())),
        ValueRef::Blob(bytes) => Value::Bytes(Some(bytes.to_vec())),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Int(Some(number)) => ValueRef::Integer(*number),
            Value::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::Int(None) | Value::Text(None) | Value::Bytes(None) => ValueRef::Null,
        }))
    }
}
