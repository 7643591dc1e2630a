//! Backfills of simulated accounts, compared with what the simulation says is true.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod budget;
mod children;
mod complete;
mod faults;
mod hidden;
mod nested;
mod network;
mod preflight;
mod reading;
mod refusals;
mod resume;
