//! The TypeScript engine's statements: a hundred rows each, one after the other, a transaction each.

use anyhow::Result;
use serde_json::value::RawValue;
use tokio_postgres::types::{Json, ToSql};

use super::Row;
use crate::meter::connect;
use crate::objects::ACCOUNT;

/// The TypeScript engine's default `batch_size`.
const BATCH: usize = 100;

/// `VALUES` of parameters, each with its cast.
fn values(count: usize, columns: &[&str]) -> String {
    let row = |at: usize| {
        let places: Vec<String> = (1..)
            .zip(columns)
            .map(|(place, cast)| cast.replace('$', &format!("${}", at * columns.len() + place)))
            .collect();
        format!("({})", places.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

pub(super) async fn write(url: &str, table: &str, rows: &[Row]) -> Result<()> {
    let client = connect(url).await?;
    for batch in rows.chunks(BATCH) {
        let (gone, live): (Vec<&Row>, Vec<&Row>) = batch.iter().partition(|row| row.deleted);
        let payload = |row: &Row| serde_json::from_slice::<Box<RawValue>>(&row.payload);
        if !live.is_empty() {
            let sql = format!(
                "INSERT INTO {table} (\"_raw_data\", \"_synced_at\", \"_updated_at\") VALUES {} \
                 ON CONFLICT (\"id\", \"_account_id\") DO UPDATE SET \"_raw_data\" = EXCLUDED.\"_raw_data\", \
                 \"_synced_at\" = EXCLUDED.\"_synced_at\", \"_updated_at\" = EXCLUDED.\"_updated_at\" \
                 WHERE ({table}.\"_raw_data\" IS DISTINCT FROM EXCLUDED.\"_raw_data\" \
                    OR {table}.\"_synced_at\" IS DISTINCT FROM EXCLUDED.\"_synced_at\" \
                    OR {table}.\"_updated_at\" IS DISTINCT FROM EXCLUDED.\"_updated_at\") \
                 AND EXCLUDED.\"_updated_at\" >= {table}.\"_updated_at\" RETURNING (xmax = 0) AS inserted",
                values(live.len(), &["$::jsonb", "$::timestamptz", "to_timestamp($::bigint)"])
            );
            let now = std::time::SystemTime::now();
            let payloads = live.iter().map(|row| payload(row).map(Json)).collect::<Result<Vec<_>, _>>()?;
            let mut parameters: Vec<&(dyn ToSql + Sync)> = Vec::new();
            for (payload, row) in payloads.iter().zip(&live) {
                parameters.extend([payload as &(dyn ToSql + Sync), &now, &row.seconds]);
            }
            client.query(&sql, &parameters).await?;
        }
        if !gone.is_empty() {
            let sql = format!(
                "DELETE FROM {table} AS t USING (VALUES {}) AS d (id, account) \
                 WHERE t.\"id\" = d.id AND t.\"_account_id\" = d.account",
                values(gone.len(), &["$::text", "$::text"])
            );
            let mut keys = Vec::new();
            for row in &gone {
                keys.extend([row.id.as_str(), ACCOUNT]);
            }
            let parameters: Vec<&(dyn ToSql + Sync)> =
                keys.iter().map(|key| key as &(dyn ToSql + Sync)).collect();
            client.execute(&sql, &parameters).await?;
        }
    }
    Ok(())
}
