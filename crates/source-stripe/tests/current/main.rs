//! The source keeps a copy current while a simulated account changes.
#![allow(clippy::unwrap_used)]

mod account;
mod chaos;
mod clock;
mod copy;
mod deliveries;
mod lookup;
mod polling;
