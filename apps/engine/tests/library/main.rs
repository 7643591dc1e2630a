//! The engine library against the `test` connectors and a scripted source.

mod batch;
mod connections;
mod limits;
mod script;
mod syncing;
