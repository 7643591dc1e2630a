//! The orchestrator on Temporal, against Temporal's development server.

#![allow(clippy::unwrap_used)]

#[path = "../asking/mod.rs"]
mod asking;
mod connecting;
mod killed;
mod life;
mod limits;
mod program;
mod replay;
mod served;
mod server;
mod shop;
mod world;
