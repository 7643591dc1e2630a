//! The log of each pipeline.

use protocol::{LogLevel, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{Statement, Store, StoreError};

/// So many entries of a pipeline are kept, however young they are.
const KEPT: i64 = 10_000;

/// So many are forgotten at a time, so that nobody waits long.
const FORGOTTEN: i64 = 5000;

/// An entry of a pipeline's log.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Entry {
    /// Its place in the log; the next one's is greater.
    pub sequence: i64,
    /// The run that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// The sentence.
    pub message: String,
    /// What came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Json>>,
}

impl Store {
    /// Adds entries; their secrets are hidden already.
    pub async fn log(&self, pipeline: &str, entries: &[Entry]) -> Result<(), StoreError> {
        let insert = |entry: &Entry| {
            let data = entry.data.as_ref().and_then(|data| serde_json::to_string(data).ok());
            let sql = "insert into @entries (pipeline_id, run_id, at, level, message, data)
                select id, $2, $3, $4, $5, $6 from @pipelines where id = $1";
            Statement::new(
                sql,
                [
                    pipeline.into(),
                    entry.run_id.clone().into(),
                    entry.at.unix_millis().into(),
                    entry.level.as_str().into(),
                    entry.message.as_str().into(),
                    data.into(),
                ],
            )
        };
        let mut statements: Vec<Statement> = entries.iter().map(insert).collect();
        let trim =
            "delete from @entries where pipeline_id = $1 and sequence <= (select sequence from @entries
            where pipeline_id = $1 order by sequence desc limit 1 offset $2)";
        statements.push(Statement::new(trim, [pipeline.into(), KEPT.into()]));
        self.db.write(statements).await?;
        Ok(())
    }

    /// Forgets entries from before this time, in milliseconds since 1970. Answers how many.
    pub async fn forget_old_entries(&self, before: i64) -> Result<usize, StoreError> {
        let sql =
            "delete from @entries where sequence in (select sequence from @entries where at < $1 limit $2)
            returning 1";
        let mut forgotten = 0;
        loop {
            let rows = self.db.write_one(Statement::new(sql, [before.into(), FORGOTTEN.into()])).await?;
            forgotten += rows.len();
            if i64::try_from(rows.len()).unwrap_or(i64::MAX) < FORGOTTEN {
                return Ok(forgotten);
            }
        }
    }

    /// The oldest entries after the one at `after`, at most `limit`; without `after`, the newest. Of one run if named.
    pub async fn entries(
        &self,
        pipeline: &str,
        run_id: Option<&str>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let order = if after.is_some() { "asc" } else { "desc" };
        let sql = format!(
            "select sequence, run_id, at, level, message, data from @entries where pipeline_id = $1
             and ($2 is null or run_id = $2) and sequence > $3 order by sequence {order} limit $4"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [pipeline.into(), run_id.into(), after.unwrap_or(0).into(), limit.into()];
        let rows = self.db.read(Statement::new(sql, values)).await?;
        let mut entries = rows
            .iter()
            .map(|row| {
                let data = row.text(5)?.and_then(|data| serde_json::from_str(&data).ok());
                Ok(Entry {
                    sequence: row.required_int(0)?,
                    run_id: row.text(1)?,
                    at: Timestamp::from_unix_millis(row.required_int(2)?),
                    level: LogLevel::parse(&row.required_text(3)?).unwrap_or(LogLevel::Error),
                    message: row.required_text(4)?,
                    data,
                })
            })
            .collect::<Result<Vec<Entry>, StoreError>>()?;
        if after.is_none() {
            entries.reverse();
        }
        Ok(entries)
    }
}
