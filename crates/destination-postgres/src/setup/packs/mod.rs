//! What a database can have beside the tables, for those who ask for it.

mod accounts;
mod comments;
mod reader;
mod references;

use protocol::{ConfiguredCatalog, ConfiguredStream};
use util_postgres::{Database, PostgresError};

use super::Progress;
use crate::config::Packs;
use crate::table::Table;

pub(super) use references::{foreign_keys, indexed_columns};

/// A stream and its table, which is there.
#[derive(Clone, Copy)]
pub(super) struct Made<'c> {
    pub(super) configured: &'c ConfiguredStream,
    pub(super) table: &'c Table,
}

/// Adds what is asked for and not there yet.
pub(super) async fn add(
    database: &Database,
    packs: &Packs,
    catalog: &ConfiguredCatalog,
    tables: &[Table],
    progress: &Progress,
) -> Result<(), PostgresError> {
    let made: Vec<Made<'_>> =
        catalog.streams.iter().zip(tables).map(|(configured, table)| Made { configured, table }).collect();
    let Some(schema) = tables.first().map(|table| &*table.schema) else { return Ok(()) };
    if packs.comments {
        comments::add(database, &made).await?;
    }
    if packs.foreign_keys {
        foreign_keys(database, &made, progress).await?;
    }
    if let Some(role) = &packs.reader_role {
        reader::grant(database, schema, role, tables).await?;
    }
    if packs.row_level_security {
        accounts::protect(database, tables).await?;
    }
    Ok(())
}
