//! Backfills of simulated accounts, compared with what the simulation says is true.

mod complete;
mod faults;
mod reading;
mod refusals;
mod resume;
