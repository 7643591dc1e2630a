//! The simulated API seen from outside.

// The lint allows unwrapping in test functions, not in what they call.
#![allow(clippy::unwrap_used)]

mod client;
mod command;
mod control;
mod errors;
mod events;
mod lists;
mod network;
mod paging;
mod sessions;
mod shapes;
mod webhooks;
