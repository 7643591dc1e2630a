//! The destination against a real server.
#![allow(clippy::unwrap_used, missing_docs)]

mod chaos;
mod conformance;
mod deletions;
mod evolution;
mod exactness;
mod faults;
mod harness;
mod packs;
mod pooler;
mod projections;
mod refusals;
mod setup;
mod upstream;
mod write;
