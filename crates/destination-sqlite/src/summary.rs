//! What is in a file.

use crate::SqliteError;
use crate::database::Database;
use crate::layout::quoted;
use crate::registry;

/// The streams that have a table in the file, with their numbers of rows, by name.
/// Empty where there is no such file.
pub fn summary(path: &str) -> Result<Vec<(String, u64)>, SqliteError> {
    let Some(database) = Database::existing(path)? else { return Ok(Vec::new()) };
    let connection = database.connection();
    let count = |stream: String| {
        let sql = format!("SELECT count(*) FROM {}", quoted(&format!("_raw_{stream}")));
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok((stream, rows.unsigned_abs()))
    };
    let counts = || registry::streams(&connection)?.into_iter().map(count).collect::<rusqlite::Result<_>>();
    counts().map_err(|cause| database.refused(cause))
}
