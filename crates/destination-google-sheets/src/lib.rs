//! The parts of a Google Sheets destination that decide and touch no network: configuration, ranges, cells, what a service account signs, and pacing.
//! What speaks to the API is not here yet; see decision 38.

pub mod a1;
pub mod cell;
mod config;
pub mod jwt;
pub mod pacing;

pub use config::{SheetsConfig, SheetsOptions};
