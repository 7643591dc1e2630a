//! Who changed what.

use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Actor;
use crate::store::{Statement, Store, StoreError};

/// A change that was made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// Its place in the log.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// The token that was used, by its id and name; `local` where none was needed.
    pub actor: String,
    /// What was done, e.g. `pipelines.update`.
    pub action: String,
    /// To which pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<String>,
    /// More about it: names of fields, never their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Notes a change.
pub async fn record(
    store: &Store,
    actor: &Actor,
    action: &str,
    pipeline: Option<&str>,
    detail: Option<&str>,
) -> Result<(), StoreError> {
    let sql = "insert into @audit (at, actor, action, pipeline_id, detail) values (@now, $1, $2, $3, $4)";
    let values = [actor.to_string().into(), action.into(), pipeline.into(), detail.into()];
    store.db().write_one(Statement::new(sql, values)).await?;
    Ok(())
}

/// The newest changes before the one at `before`, at most `limit`.
pub(crate) async fn entries(
    store: &Store,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = "select sequence, at, actor, action, pipeline_id, detail from @audit
        where sequence < $1 order by sequence desc limit $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows =
        store.db().read(Statement::new(sql, [before.unwrap_or(i64::MAX).into(), limit.into()])).await?;
    rows.iter()
        .map(|row| {
            Ok(AuditEntry {
                sequence: row.required_int(0)?,
                at: Timestamp::from_unix_millis(row.required_int(1)?),
                actor: row.required_text(2)?,
                action: row.required_text(3)?,
                pipeline_id: row.text(4)?,
                detail: row.text(5)?,
            })
        })
        .collect()
}
