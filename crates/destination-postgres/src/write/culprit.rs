//! Which row, and which column of it, the server refuses.

use std::fmt;
use std::time::SystemTime;

use tokio_postgres::types::Type;
use util_postgres::{Connection, Database, FailureKind};

use super::plan::Upsert;
use super::stream::StreamWriter;
use super::upsert::{Setback, Way};

/// The first row that is refused.
pub(super) struct Culprit {
    key: String,
    /// Name and type, where it is the value of one column.
    column: Option<(String, &'static str)>,
    /// What the server says about this row alone.
    reason: String,
}

impl fmt::Display for Culprit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "row {} is refused, ", self.key)?;
        match &self.column {
            Some((column, sql_type)) => write!(
                formatter,
                "its value does not fit the column \"{column}\" ({sql_type}): {}. Leave the field out of the \
                 stream's `fields`, or drop the column, then run again",
                self.reason
            ),
            None => write!(formatter, "{}", self.reason),
        }
    }
}

/// Writes parts of the rows, ever fewer, in transactions that are rolled back. `None` where the
/// rows can be written by now, or where the search itself fails.
pub(super) async fn find(database: &Database, stream: &StreamWriter, upserts: &[Upsert]) -> Option<Culprit> {
    let mut connection = database.connect().await.ok()?;
    let mut suspects: Vec<&Upsert> = upserts.iter().collect();
    let mut reason = attempt(database, &mut connection, stream, &suspects).await?;
    while suspects.len() > 1 {
        let second = suspects.split_off(suspects.len() / 2);
        match attempt(database, &mut connection, stream, &suspects).await {
            Some(said) => reason = said,
            None => suspects = second,
        }
    }
    let culprit = suspects.first()?;
    let said = attempt(database, &mut connection, stream, &suspects).await;
    let mut column = None;
    for cast in &stream.statements.casts {
        if let Err(error) =
            connection.query_typed(&cast.sql, &[(&culprit.payload.as_str(), Type::TEXT)]).await
            && database.failure(error).kind() == FailureKind::Data
        {
            column = Some((cast.column.clone(), cast.sql_type));
            break;
        }
    }
    Some(Culprit { key: culprit.key.to_string(), column, reason: said.unwrap_or(reason) })
}

/// What the server has against these rows.
async fn attempt(
    database: &Database,
    connection: &mut Connection,
    stream: &StreamWriter,
    rows: &[&Upsert],
) -> Option<String> {
    let transaction = connection.transaction().await.ok()?;
    let setback = stream.upsert(&transaction, rows, SystemTime::now(), Way::Careful).await.err()?;
    let Setback::Failed(error) = setback else { return None };
    let error = database.failure(error);
    (error.kind() == FailureKind::Data)
        .then(|| error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned()))
}
