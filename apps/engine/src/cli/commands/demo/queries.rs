//! What a filled file is good for: three questions and their answers.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::cli::failure::Failure;

/// A question, the stream it needs, and its SQL.
const QUESTIONS: &[(&str, &str, &str)] = &[
    (
        "New customers per month",
        "customer",
        "SELECT strftime('%Y-%m', created, 'unixepoch') AS month, count(*) AS customers\n\
         FROM customer GROUP BY month ORDER BY month DESC LIMIT 6",
    ),
    (
        "Revenue by currency",
        "charge",
        "SELECT currency, count(*) AS charges, sum(amount) AS amount_in_minor_units\n\
         FROM charge WHERE status = 'succeeded' GROUP BY currency ORDER BY charges DESC LIMIT 6",
    ),
    (
        "Subscriptions by status",
        "subscription",
        "SELECT status, count(*) AS subscriptions\n\
         FROM subscription GROUP BY status ORDER BY subscriptions DESC",
    ),
];

/// The questions with their answers, as text.
pub(super) fn shown(path: &Path) -> Result<String, Failure> {
    let connection = open(path)?;
    let mut text = String::new();
    for (question, stream, sql) in QUESTIONS {
        if !exists(&connection, stream).map_err(|error| failed(path, &error))? {
            continue;
        }
        let answer = table(&connection, sql).map_err(|error| failed(path, &error))?;
        text += &format!("\n{question}:\n{}\n\n{answer}\n", indented(sql));
    }
    Ok(text.trim_end().to_owned())
}

/// The names under which positions are kept in the file; none where there is no such file.
pub(super) fn sync_ids(path: &Path) -> Result<Vec<String>, Failure> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let connection = open(path)?;
    let read = || -> rusqlite::Result<Vec<String>> {
        if !exists(&connection, "_sync_state")? {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare("SELECT DISTINCT sync_id FROM _sync_state")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    read().map_err(|error| failed(path, &error))
}

fn open(path: &Path) -> Result<Connection, Failure> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &rusqlite::Error) -> Failure {
    Failure::failed(format!("{} cannot be read: {error}", path.display()))
}

fn exists(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?.exists([name])
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}", line.trim_start())).collect::<Vec<_>>().join("\n")
}

/// The rows of a query under their column names; numbers to the right.
fn table(connection: &Connection, sql: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(sql)?;
    let mut rows: Vec<Vec<(String, bool)>> =
        vec![statement.column_names().map(|name| (name.to_owned(), false)).collect()];
    let columns = rows[0].len();
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let cells = (0..columns).map(|at| row.get_ref(at).map(cell)).collect::<rusqlite::Result<_>>()?;
        rows.push(cells);
    }
    if rows.len() == 1 {
        return Ok("    (no rows)".to_owned());
    }
    let width = |at: usize| rows.iter().map(|row| row[at].0.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric: Vec<bool> = (0..columns).map(|at| rows[1..].iter().all(|row| row[at].1)).collect();
    let line = |row: &Vec<(String, bool)>| {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(at, (text, _))| {
                let width = widths[at];
                if numeric[at] { format!("{text:>width$}") } else { format!("{text:<width$}") }
            })
            .collect();
        format!("    {}", cells.join("  ").trim_end())
    };
    Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// A value as text, and whether it is a number.
fn cell(value: ValueRef<'_>) -> (String, bool) {
    match value {
        ValueRef::Null => ("-".to_owned(), false),
        ValueRef::Integer(number) => (number.to_string(), true),
        ValueRef::Real(number) => (number.to_string(), true),
        ValueRef::Text(text) => (String::from_utf8_lossy(text).into_owned(), false),
        ValueRef::Blob(_) => ("(bytes)".to_owned(), false),
    }
}
