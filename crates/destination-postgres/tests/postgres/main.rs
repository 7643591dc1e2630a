//! The destination against a real server.
#![allow(clippy::unwrap_used, missing_docs)]

mod chaos;
mod conformance;
mod deletions;
mod exactness;
mod harness;
mod projections;
mod refusals;
mod setup;
mod upstream;
mod write;
