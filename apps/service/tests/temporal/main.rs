//! The orchestrator on Temporal, against Temporal's development server.

mod killed;
mod life;
mod limits;
mod replay;
mod server;
mod world;
