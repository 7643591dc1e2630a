//! The destination against a Google Sheets on the loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod by_hand;
mod conformance;
mod limits;
mod picture;
mod rows;
mod setup;
mod tokens;
mod troubles;
mod world;
