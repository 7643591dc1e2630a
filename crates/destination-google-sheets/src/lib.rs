//! The parts of a Google Sheets destination that decide and touch no network: ranges, cells, what a service account signs, and pacing.
//! What speaks to the API is not here yet; see decision 38.

pub mod a1;
pub mod cell;
pub mod jwt;
pub mod pacing;
