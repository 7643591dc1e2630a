//! Writes streams into the tabs of a Google spreadsheet.
//!
//! # What the spreadsheet looks like
//!
//! Per stream there is a tab of its name: row 1 names the columns, the key first; every other row is an object. `_updated_at` is the
//! object's version as the source says it, `_synced_at` the time at which the row was written. Objects and
//! lists are JSON text. Users may sort the rows, insert or delete some, move columns and add columns of their own: rows are
//! found by their keys, columns by their names.
//!
//! A hidden tab, `_sync_engine`, keeps the books: states, deletions, which tabs and columns are ours, and how many keys each tab
//! has. Where a tab does not have the keys that were counted, its stream is read again from the beginning.
//!
//! # Durability
//!
//! A batch is one request with the rows, what the books say of them, and the state after them; it is handed back when Google has
//! answered. Requests set cells at fixed places, so one whose answer was lost is sent again without harm.

pub mod a1;
mod actor;
mod api;
mod books;
pub mod cell;
mod client;
mod columns;
mod config;
mod credentials;
mod destination;
mod error;
mod grow;
mod index;
pub mod jwt;
mod layout;
mod options;
mod overview;
pub mod pacing;
mod ranges;
mod state;
mod stream;
mod tabs;
mod teardown;
mod tokens;
mod workbook;
mod writer;

pub use config::SheetsConfig;
pub use destination::SheetsDestination;
pub use error::SheetsError;
pub use options::SheetsOptions;
