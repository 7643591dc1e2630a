//! A rate that several processes share, kept in the database that they share.
//!
//! Each process takes a lease: so many requests per second, for a short while, of each level (the account as a
//! whole, one endpoint). The leases in force never add up to more than the rate. Nobody is asked about a single
//! request, and what a process that died had leased is free again when its lease runs out.
//!
//! * `budget`: who gets how much. Pure; times are the server's.
//! * `table`: the one row of an account, changed only by who saw it as it is.

mod budget;
#[cfg(test)]
mod budget_tests;
mod table;

pub use budget::{Budget, Grant, Want};
pub use table::{Leased, SharedRate, TABLE};
