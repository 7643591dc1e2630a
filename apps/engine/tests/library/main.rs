//! The engine library against the `test` connectors and a scripted source.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod airbyte;
mod batch;
mod conformance;
mod connections;
mod http;
mod limits;
mod programs;
mod reconciling;
mod script;
mod shop;
mod stored;
mod syncing;
mod transforms;
