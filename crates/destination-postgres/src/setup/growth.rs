//! What a table lacks that the catalog has. Pure.

use util_postgres::{PostgresError, quote_identifier};

use crate::table::existing::Existing;
use crate::table::{AllowedValues, Column, Index, Projection, Table};

/// A table of which the whole content is rewritten, checked or indexed in less time than anybody notices.
const SMALL_BYTES: i64 = 512 << 10;

/// What is missing in a table that is there.
#[derive(Debug, Default)]
pub(super) struct Growth<'t> {
    /// Whether the table can be changed at once, under its lock; else it stays usable meanwhile.
    pub(super) small: bool,
    /// Definitions of plain columns.
    pub(super) plain: Vec<String>,
    /// Columns that the payload fills.
    pub(super) columns: Vec<&'t Column>,
    /// Names of constraints that go.
    pub(super) dropped: Vec<String>,
    /// Constraints that come.
    pub(super) added: Vec<&'t AllowedValues>,
    /// Names of constraints that are there and were never checked against the rows.
    pub(super) unchecked: Vec<String>,
    pub(super) indexes: Vec<Index>,
    /// Names of indexes that were begun and not finished.
    pub(super) broken_indexes: Vec<String>,
    pub(super) legacy_trigger: bool,
}

impl<'t> Growth<'t> {
    /// Compares; fails where the table is not one that can become the stream's.
    pub(super) fn of(table: &'t Table, existing: &Existing) -> Result<Growth<'t>, PostgresError> {
        refuse_foreign(table, existing)?;
        let mut growth = Growth {
            small: existing.bytes <= SMALL_BYTES,
            legacy_trigger: existing.legacy_trigger,
            ..Growth::default()
        };
        let is_missing = |name: &str| !existing.columns.contains(name);
        let plain = table.system_columns.iter().filter(|column| is_missing(&column.name));
        growth.plain = plain
            .map(|column| format!("{} {}", quote_identifier(&column.name), column.column_type))
            .collect();
        growth.columns = table.others().iter().filter(|column| is_missing(&column.name)).collect();
        for allowed in &table.allowed {
            let Some(check) = existing.checks.get(&allowed.constraint) else {
                growth.added.push(allowed);
                continue;
            };
            if allowed.widens(&check.definition) {
                // The rows of one account, and from now on those of several.
                growth.dropped.push(allowed.constraint.clone());
                growth.added.push(allowed);
            } else if let Some(text) = allowed.conflict(&table.schema, &table.name, &check.definition) {
                return Err(PostgresError::config(text));
            } else if !check.valid {
                growth.unchecked.push(allowed.constraint.clone());
            }
        }
        growth.dropped.extend(table.unconstrained().filter(|name| existing.checks.contains_key(name)));
        for index in table.indexes() {
            match existing.indexes.get(&index.name) {
                Some(true) => {}
                Some(false) => {
                    growth.broken_indexes.push(index.name.clone());
                    growth.indexes.push(index);
                }
                None => growth.indexes.push(index),
            }
        }
        Ok(growth)
    }

    /// Whether columns come that have to be filled bit by bit: those of large tables, and those that PostgreSQL does not
    /// compute by itself.
    pub(super) fn takes_time(&self, table: &Table) -> bool {
        let computed = table.projection == Projection::Generated;
        !(self.columns.is_empty() || self.small && computed)
    }

    /// Whether the table itself has to change.
    pub(super) fn alters(&self) -> bool {
        self.legacy_trigger
            || !(self.plain.is_empty()
                && self.columns.is_empty()
                && self.dropped.is_empty()
                && self.added.is_empty())
    }
}

fn refuse_foreign(table: &Table, existing: &Existing) -> Result<(), PostgresError> {
    let qualified = table.qualified();
    let missing =
        ["_raw_data", "_synced_at", "_updated_at"].into_iter().find(|name| !existing.columns.contains(*name));
    if !existing.is_table() || missing.is_some() {
        let why =
            missing.map_or("it is not a table".to_owned(), |name| format!("it has no column \"{name}\""));
        return Err(PostgresError::config(format!(
            "{qualified} exists and is not a table of a sync: {why}. Rename it, or choose another schema."
        )));
    }
    let key: Vec<&str> = table.key.iter().map(|column| &*column.name).collect();
    if existing.key != key {
        return Err(PostgresError::config(format!(
            "{qualified} has the primary key ({}), but stream \"{}\" needs ({}). Rename the table, or choose \
             another schema, and sync again.",
            existing.key.join(", "),
            table.stream,
            key.join(", ")
        )));
    }
    Ok(())
}
