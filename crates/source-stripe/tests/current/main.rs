//! The source keeps a copy current while a simulated account changes.
#![allow(clippy::unwrap_used)]

mod account;
mod chaos;
mod copy;
mod polling;
