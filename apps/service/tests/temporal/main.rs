//! The orchestrator on Temporal, against Temporal's development server.

#![allow(clippy::unwrap_used)]

mod killed;
mod life;
mod limits;
mod replay;
mod server;
mod world;
