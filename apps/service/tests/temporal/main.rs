//! The orchestrator on Temporal, against Temporal's development server.

#![allow(clippy::unwrap_used)]

mod connecting;
mod killed;
mod life;
mod limits;
mod program;
mod replay;
mod served;
mod server;
#[path = "../shared/mod.rs"]
mod shared;
mod shop;
mod world;
