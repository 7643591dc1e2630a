//! What a schema holds already.

use std::collections::{HashMap, HashSet};

use tokio_postgres::{Error, GenericClient};

/// A table, or something else that has the name of one.
#[derive(Debug, Default)]
pub(crate) struct Existing {
    /// `r` and `p` are tables.
    pub(crate) kind: String,
    pub(crate) columns: HashSet<String>,
    /// Columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    /// CHECK constraints by name, with their definitions.
    pub(crate) checks: HashMap<String, String>,
    pub(crate) indexes: HashSet<String>,
    /// Whether upstream's old trigger is there that overwrites `_updated_at`.
    pub(crate) legacy_trigger: bool,
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
        ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
              WHERE x.indrelid = c.oid),
        EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'handle_updated_at')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY ($2)";
    let mut found = HashMap::new();
    for row in client.query(SQL, &[&schema, &names]).await? {
        let checks: Vec<String> = row.try_get(4)?;
        let definitions: Vec<String> = row.try_get(5)?;
        let existing = Existing {
            kind: row.try_get(1)?,
            columns: row.try_get::<_, Vec<String>>(2)?.into_iter().collect(),
            key: row.try_get(3)?,
            checks: checks.into_iter().zip(definitions).collect(),
            indexes: row.try_get::<_, Vec<String>>(6)?.into_iter().collect(),
            legacy_trigger: row.try_get(7)?,
        };
        found.insert(row.try_get(0)?, existing);
    }
    Ok(found)
}
