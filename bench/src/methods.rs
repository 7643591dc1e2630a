//! The ways to write that are compared.

mod copy;
mod ours;
mod upstream;

use std::fmt;

use anyhow::Result;
use bytes::Bytes;
use destination_postgres::{PostgresConfig, PostgresDestination, Projection};
use protocol::{Destination, run_to_end};
use serde_json::json;

use crate::objects::Objects;

/// The schema of the tables.
const SCHEMA: &str = "stripe";

/// On how many connections.
pub(crate) const CONNECTIONS: [usize; 3] = [1, 2, 4];

/// One way to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// `COPY` of rows that are encoded beforehand: nothing is faster, and nothing else is done.
    Copy { into: Projection, connections: usize },
    /// A hundred rows per statement, as the TypeScript engine writes.
    Upstream,
    /// The destination, fed with messages.
    Ours { projection: Projection, connections: usize },
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Copy { into, connections } => write!(formatter, "COPY, {into} × {connections}"),
            Method::Upstream => formatter.write_str("upstream, generated × 1"),
            Method::Ours { projection, connections } => {
                write!(formatter, "ours, {projection} × {connections}")
            }
        }
    }
}

impl Method {
    /// All, and what is compared side by side: a machine whose cores are shared with others is not the same one
    /// a minute later.
    pub(crate) fn all() -> Vec<Method> {
        let mut methods = Vec::new();
        for connections in CONNECTIONS {
            let copy = |into| Method::Copy { into, connections };
            let ours = |projection| Method::Ours { projection, connections };
            // Nothing but the destination itself fills typed columns.
            methods.extend([
                ours(Projection::Typed),
                copy(Projection::Generated),
                ours(Projection::Generated),
            ]);
            // Its engine has one connection.
            methods.extend((connections == 1).then_some(Method::Upstream));
            methods.extend([copy(Projection::View), ours(Projection::View)]);
        }
        methods
    }

    fn projection(self) -> Projection {
        match self {
            Method::Copy { into: projection, .. } | Method::Ours { projection, .. } => projection,
            Method::Upstream => Projection::Generated,
        }
    }

    fn connections(self) -> usize {
        match self {
            Method::Copy { connections, .. } | Method::Ours { connections, .. } => connections,
            Method::Upstream => 1,
        }
    }

    /// Whether it can write over what is there.
    pub(crate) fn can_repeat(self) -> bool {
        !matches!(self, Method::Copy { .. })
    }

    fn config(self, url: &str) -> Result<PostgresConfig> {
        Ok(serde_json::from_value(json!({
            "url": url, "schema": SCHEMA, "connections": self.connections(),
            "projection": self.projection().to_string(),
        }))?)
    }

    /// Creates the table in the database at `url`: ours, for all of them.
    pub(crate) async fn set_up(self, url: &str, objects: &Objects) -> Result<()> {
        let setup = PostgresDestination.setup(self.config(url)?, objects.catalog.clone());
        if let Some(messages) = setup {
            run_to_end(messages).await?;
        }
        Ok(())
    }

    /// The work that is measured.
    pub(crate) async fn write(self, url: &str, objects: &Objects, pass: &Prepared) -> Result<()> {
        let table = objects.shape.table;
        match (self, pass) {
            (Method::Copy { into, .. }, Prepared::Chunks(parts)) => {
                let raw = if into == Projection::View { "_raw_" } else { "" };
                copy::write(url, &format!("\"{SCHEMA}\".\"{raw}{table}\""), into, parts).await
            }
            (Method::Upstream, Prepared::Rows(rows)) => {
                upstream::write(url, &format!("\"{SCHEMA}\".\"{table}\""), rows).await
            }
            (Method::Ours { .. }, Prepared::Rows(rows)) => {
                ours::write(self.config(url)?, &objects.catalog, rows).await
            }
            (method, _) => anyhow::bail!("{method} was prepared for another method"),
        }
    }

    /// Makes a pass ready.
    pub(crate) fn prepare(self, rows: &[Row]) -> Prepared {
        match self {
            Method::Copy { into, connections } => Prepared::Chunks(copy::encode(rows, into, connections)),
            Method::Upstream | Method::Ours { .. } => Prepared::Rows(rows.to_vec()),
        }
    }
}

/// A payload to write, or whose object is gone.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) payload: Bytes,
    /// Unix seconds of its reading.
    pub(crate) seconds: i64,
    pub(crate) deleted: bool,
}

/// What is ready to be written.
pub(crate) enum Prepared {
    Rows(Vec<Row>),
    /// For each connection, the bytes of its `COPY`.
    Chunks(Vec<Vec<Bytes>>),
}
