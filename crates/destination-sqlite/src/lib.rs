//! Writes streams into a SQLite file.
//!
//! # What the file looks like
//!
//! Per stream there is a view of the stream's name, to read from, and a table `_raw_<stream>`
//! that holds the rows:
//!
//! | Column | Table | View | |
//! |---|---|---|---|
//! | key fields (`id`, `_account_id`) | yes | yes | `TEXT NOT NULL`, the primary key |
//! | `_raw_data` | yes | yes | the whole object, JSON text exactly as delivered |
//! | `_synced_at` | yes | yes | when the row was written, ISO 8601 UTC |
//! | `_updated_at` | yes | yes | the object's version, ISO 8601 UTC |
//! | `_newer_than` | yes | | the version as an integer, which decides what may replace what |
//! | every other property | | yes | read from `_raw_data` when asked for |
//!
//! So `select email from customer` works, and costs nothing when rows are written. (Generated
//! columns in the table would read alike, but SQLite evaluates them, virtual ones too, on every
//! insert: 60 of them made writing four to ten times slower.) An index over a property goes on the
//! table, with the view's expression, which `.schema` shows; child streams have one over `_parent_id`.
//!
//! Values in a view are exact: an integer is an `INTEGER` where it fits into 64 bits and its digits
//! as `TEXT` where it does not, never a float; booleans are 1 and 0; expandable references give
//! the id; objects and arrays are JSON text. A number with a fraction is a `REAL` in a
//! column of type number; its digits are kept in `_raw_data`.
//!
//! `_sync_tables` names the streams that are ours, `_sync_tombstones` remembers deletes so that older
//! writes do not undo them, `_sync_state` keeps the states of syncs. A table made by the TypeScript engine,
//! which has the stream's name and the first four columns, is renamed to `_raw_<stream>` and
//! belongs to us from then on; any other table or view is never touched.
//!
//! # Durability
//!
//! The file is in WAL mode with `synchronous = NORMAL`: a batch that was handed back survives a
//! kill of the process. A power failure can take back the last batches, but whole ones only:
//! their rows and their state go together, so the next run continues from there.

mod change;
mod column;
mod config;
mod database;
mod destination;
mod error;
mod inspect;
mod layout;
mod registry;
mod state;
mod summary;
mod writer;

pub use config::SqliteConfig;
pub use destination::SqliteDestination;
pub use error::SqliteError;
pub use summary::summary;
