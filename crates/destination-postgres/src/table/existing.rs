//! What a schema holds already.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};

/// A table, or something else that has the name of one.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// `r` and `p` are tables.
    pub(crate) kind: String,
    pub(crate) columns: HashSet<String>,
    /// Columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    /// CHECK constraints by name.
    pub(crate) checks: HashMap<String, Check>,
    /// Names of indexes, and whether they are finished or being made.
    pub(crate) indexes: HashMap<String, bool>,
    /// What the rows take on disk, with what is stored out of line.
    pub(crate) bytes: i64,
    /// Whether upstream's old trigger is there that overwrites `_updated_at`.
    pub(crate) legacy_trigger: bool,
}

/// A CHECK constraint.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) definition: String,
    /// Whether all rows were checked.
    pub(crate) valid: bool,
}

impl Existing {
    pub(crate) fn is_table(&self) -> bool {
        self.kind == "r" || self.kind == "p"
    }
}

/// What of `names` exists in `schema`, by name.
pub(crate) async fn read(
    client: &impl GenericClient,
    schema: &str,
    names: &[&str],
) -> Result<HashMap<String, Existing>, Error> {
    const SQL: &str = "SELECT c.relname::text, c.relkind::text,
        ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        ARRAY(SELECT a.attname::text FROM pg_constraint p, unnest(p.conkey) WITH ORDINALITY AS k (number, place),
                     pg_attribute a
              WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attrelid = c.oid AND a.attnum = k.number
              ORDER BY k.place),
        ARRAY(SELECT k.conname::text FROM pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname),
        ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname),
        ARRAY(SELECT k.convalidated FROM pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname),
        ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
              WHERE x.indrelid = c.oid ORDER BY i.relname),
        ARRAY(SELECT x.indisvalid OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.oid)
              FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
              WHERE x.indrelid = c.oid ORDER BY i.relname),
        CASE WHEN c.relkind IN ('r', 'p') THEN pg_table_size(c.oid) ELSE 0 END,
        EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'handle_updated_at')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY ($2)";
    let mut found = HashMap::new();
    for row in client.query_typed(SQL, &[(&schema, Type::TEXT), (&names, Type::TEXT_ARRAY)]).await? {
        let checks: Vec<String> = row.try_get(4)?;
        let definitions: Vec<String> = row.try_get(5)?;
        let valid: Vec<bool> = row.try_get(6)?;
        let checked =
            definitions.into_iter().zip(valid).map(|(definition, valid)| Check { definition, valid });
        let indexes: Vec<String> = row.try_get(7)?;
        let existing = Existing {
            kind: row.try_get(1)?,
            columns: row.try_get::<_, Vec<String>>(2)?.into_iter().collect(),
            key: row.try_get(3)?,
            checks: checks.into_iter().zip(checked).collect(),
            indexes: indexes.into_iter().zip(row.try_get::<_, Vec<bool>>(8)?).collect(),
            bytes: row.try_get(9)?,
            legacy_trigger: row.try_get(10)?,
        };
        found.insert(row.try_get(0)?, existing);
    }
    Ok(found)
}
