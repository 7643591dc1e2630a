//! Row-level security: who reads sees the rows of the accounts that the session names.

use tokio_postgres::types::Type;
use util_postgres::{Database, FailureKind, PostgresError};

use crate::setup::alter::briefly;
use crate::table::Table;

/// Name of the policy.
const POLICY: &str = "_sync_account";

/// Protects the tables whose rows belong to accounts. A session sees the rows of the accounts in its setting
/// `sync.account_ids` (ids with commas between them), and none without it. The tables' owner sees all.
pub(super) async fn protect(database: &Database, tables: &[Table]) -> Result<(), PostgresError> {
    let of_accounts = tables
        .iter()
        .filter(|table| table.key.iter().chain(&table.columns).any(|column| column.name == "_account_id"));
    for table in of_accounts {
        let target = table.qualified();
        let connection = database.connect().await?;
        let sql = "SELECT c.relrowsecurity, pg_has_role(c.relowner, 'USAGE'), \
                   EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = $2) \
                   FROM pg_class AS c WHERE c.oid = ($1::text)::regclass";
        let row = connection.query_typed_one(sql, &[(&target, Type::TEXT), (&POLICY, Type::TEXT)]).await;
        let row = row.map_err(|error| database.failure(error))?;
        let (protected, owner, policy): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
        drop(connection);
        if !owner {
            let text = format!(
                "`packs.row_level_security`: {target} belongs to another role, whose rows could then no longer be written. \
                 Connect as its owner, or leave this pack out."
            );
            return Err(PostgresError::new(FailureKind::Auth, text));
        }
        let mut sql = Vec::new();
        if !policy {
            sql.push(format!(
                "CREATE POLICY \"{POLICY}\" ON {target} FOR SELECT USING (\"_account_id\" = ANY (string_to_array(\
                 current_setting('sync.account_ids', true), ',')))"
            ));
        }
        if !protected {
            sql.push(format!("ALTER TABLE {target} ENABLE ROW LEVEL SECURITY"));
        }
        if !sql.is_empty() {
            let sql = sql.join("; ");
            database.retrying("protect", || briefly(database, &sql)).await?;
        }
    }
    Ok(())
}
