//! The source keeps a copy current while a simulated account changes.
#![allow(clippy::unwrap_used)]

mod account;
mod beginning;
mod chaos;
mod clock;
mod copy;
mod deliveries;
mod formed;
mod gone;
mod left_out;
mod lookup;
mod order;
mod past;
mod polling;
mod provenance;
mod standing;
