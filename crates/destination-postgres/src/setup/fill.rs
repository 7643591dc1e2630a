//! Filling late columns in the rows that were there before them, a few pages at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use util_postgres::{Connection, Database, FailureKind, PostgresError, quote_identifier, quote_literal};

use super::{Progress, say};
use crate::table::Table;
use crate::table::late::{self, LateColumn};

/// A batch holds the locks of its rows for about this long; a writer that wants one of them waits for it.
const AIM: Duration = Duration::from_millis(15);

/// A batch that takes longer than this is broken off, and done in smaller ones.
const LONGEST: Duration = Duration::from_millis(50);

/// Pages of the first batch, and of the largest.
const FIRST_PAGES: i64 = 8;
const MOST_PAGES: i64 = 256;

/// How often to say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// How long to leave rows alone that somebody else holds.
const LEAVE_FOR: Duration = Duration::from_millis(50);

/// Fills all rows, and remembers that. Rows that come or change meanwhile are filled by the trigger.
pub(super) async fn all(
    database: &Database,
    table: &Table,
    columns: &[LateColumn],
    progress: &Progress,
) -> Result<(), PostgresError> {
    let statement = Statement::of(table, columns);
    let Extent { pages, file } = database.retrying("measure", || extent(database, table)).await?;
    // What is left to do: first everything, then what others held.
    let mut left = VecDeque::new();
    left.push_back(0..pages);
    let (mut size, mut said, mut filled, mut done) = (FIRST_PAGES, Instant::now(), 0, 0);
    while let Some(mut range) = left.pop_front() {
        let batch = range.start..range.end.min(range.start + size);
        let started = Instant::now();
        let attempt = || statement.fill(database, &batch);
        let outcome = match database.retrying("fill new columns", attempt).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                size = (size / 4).max(1);
                left.push_front(range);
                continue;
            }
            Err(error) => return Err(statement.explain(database, table, &batch, error).await),
        };
        let elapsed = started.elapsed();
        size = if elapsed > AIM {
            size / 2
        } else if elapsed < AIM / 2 {
            size * 2
        } else {
            size
        };
        size = size.clamp(1, MOST_PAGES);
        filled += outcome.filled;
        if outcome.needed > outcome.filled {
            left.push_back(batch.clone());
            if left.len() == 1 && batch == range {
                tokio::time::sleep(LEAVE_FOR).await;
            }
        } else {
            done += batch.end - batch.start;
        }
        range.start = batch.end;
        if !range.is_empty() {
            left.push_front(range);
        }
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            let percent = done * 100 / pages.max(1);
            say(progress, format!("table {}: new columns are in {percent}% of the pages", table.qualified()));
        }
    }
    if database.retrying("measure", || extent(database, table)).await?.file != file {
        // The rows were moved meanwhile (VACUUM FULL, CLUSTER), some perhaps past us.
        return Box::pin(all(database, table, columns, progress)).await;
    }
    let remember = || async {
        let connection = database.connect().await?;
        late::filled(&*connection, table).await.map_err(|error| database.failure(error))
    };
    database.retrying("remember", remember).await?;
    say(progress, format!("table {}: new columns are in all rows ({filled} were filled)", table.qualified()));
    Ok(())
}

/// Where the rows are.
struct Extent {
    pages: i64,
    /// Changes when the table is written anew.
    file: u32,
}

async fn extent(database: &Database, table: &Table) -> Result<Extent, PostgresError> {
    let connection = database.connect().await?;
    let name = quote_literal(&table.qualified());
    let sql = format!(
        "SELECT pg_relation_size({name}::regclass) / current_setting('block_size')::bigint, \
         pg_relation_filenode({name}::regclass)"
    );
    let row = connection.query_typed_one(&sql, &[]).await;
    let extent = row.and_then(|row| Ok(Extent { pages: row.try_get(0)?, file: row.try_get(1)? }));
    extent.map_err(|error| database.failure(error))
}

/// What a batch did.
struct Outcome {
    /// Rows that lacked a value.
    needed: i64,
    /// Those of them that have it now; the others were held by somebody.
    filled: i64,
}

/// The SQL for one table.
struct Statement {
    target: String,
    /// Whether a row lacks a value.
    lacks: String,
    key: Vec<String>,
    columns: Vec<LateColumn>,
}

impl Statement {
    fn of(table: &Table, columns: &[LateColumn]) -> Statement {
        let columns: Vec<LateColumn> = columns.iter().filter(|column| !column.filled).cloned().collect();
        let lacks: Vec<String> = columns
            .iter()
            .map(|column| {
                format!("{} IS DISTINCT FROM ({})", quote_identifier(&column.name), column.expression)
            })
            .collect();
        Statement {
            target: table.qualified(),
            lacks: lacks.join(" OR "),
            key: table.key.iter().map(|column| quote_identifier(&column.name)).collect(),
            columns,
        }
    }

    fn place(pages: &Range<i64>) -> String {
        format!("ctid >= '({},0)'::tid AND ctid < '({},0)'::tid", pages.start, pages.end)
    }

    /// Never waits for a row that somebody holds, so it can be in no deadlock. `None` where it took too long, and did
    /// nothing.
    async fn fill(&self, database: &Database, pages: &Range<i64>) -> Result<Option<Outcome>, PostgresError> {
        let mut connection = database.connect().await?;
        let Statement { target, lacks, .. } = self;
        let place = Statement::place(pages);
        let sql = format!(
            "WITH lacking AS MATERIALIZED (SELECT ctid AS place FROM {target} WHERE {place} AND ({lacks})),
             held AS MATERIALIZED (SELECT ctid AS place FROM {target}
                 WHERE ctid = ANY (ARRAY(SELECT place FROM lacking)) FOR UPDATE SKIP LOCKED),
             filled AS (UPDATE {target} AS t SET \"_raw_data\" = t.\"_raw_data\" FROM held
                 WHERE t.ctid = held.place RETURNING 1)
             SELECT (SELECT count(*) FROM lacking), (SELECT count(*) FROM filled)"
        );
        let filled = async {
            let transaction = connection.transaction().await?;
            // What is lost in a crash is filled again: it is remembered as done only in the end.
            transaction.batch_execute("SET LOCAL synchronous_commit = off").await?;
            // A single page cannot be done in smaller parts.
            let divisible = pages.end - pages.start > 1;
            if divisible {
                let limit = format!("SET LOCAL statement_timeout = {}", LONGEST.as_millis());
                transaction.batch_execute(&limit).await?;
            }
            let row = match transaction.query_typed_one(&sql, &[]).await {
                Err(error) if divisible && error.code() == Some(&SqlState::QUERY_CANCELED) => {
                    transaction.rollback().await?;
                    return Ok(None);
                }
                row => row?,
            };
            transaction.commit().await?;
            Ok(Some(Outcome { needed: row.try_get(0)?, filled: row.try_get(1)? }))
        };
        filled.await.map_err(|error| database.failure(error))
    }

    /// The failure with the row and the column whose value does not fit.
    async fn explain(
        &self,
        database: &Database,
        table: &Table,
        pages: &Range<i64>,
        error: PostgresError,
    ) -> PostgresError {
        let mut at = String::new();
        if error.kind() == FailureKind::Data
            && let Ok(connection) = database.connect().await
            && let Some((key, column)) = self.culprit(&connection, pages).await
        {
            at = format!(
                "the value of row {key} does not fit the new column \"{column}\". Leave the field out of the stream's \
                 `fields`, and drop the column, then run setup again: "
            );
        }
        let text = format!("table {}: {at}{error}", table.qualified());
        error.with_message(text)
    }

    async fn culprit(&self, connection: &Connection, pages: &Range<i64>) -> Option<(String, String)> {
        let Statement { target, key, .. } = self;
        let rows = format!(
            "SELECT ctid::text, concat_ws(', ', {}) FROM {target} WHERE {}",
            key.join(", "),
            Statement::place(pages)
        );
        for row in connection.query_typed(&rows, &[]).await.ok()? {
            let (place, key): (String, String) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
            for column in &self.columns {
                let value = format!("SELECT {} FROM {target} WHERE ctid = '{place}'::tid", column.expression);
                if connection.query_typed(&value, &[]).await.is_err() {
                    return Some((key, column.name.clone()));
                }
            }
        }
        None
    }
}
