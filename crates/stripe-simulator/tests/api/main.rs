//! The simulated API seen from outside.

// The lint allows unwrapping in test functions, not in what they call.
#![allow(clippy::unwrap_used)]

mod accounts;
mod client;
mod command;
mod control;
mod errors;
mod events;
mod lists;
mod network;
mod paging;
mod permissions;
mod retrieve;
mod sessions;
mod shapes;
mod webhooks;
