//! The sync service: many pipelines, run durably.
//!
//! A pipeline is a resource in a store (a file of SQLite, or PostgreSQL for several machines). An orchestrator carries each
//! through its stages: set-up, backfill, then deliveries, events and comparisons for as long as it is wanted, at last the
//! teardown. Every stage saves how far it is as it goes, so a kill at any moment loses nothing; who works on a pipeline holds
//! its lease, so two never do at once.

pub mod access;
pub mod api;
pub mod engines;
pub mod guard;
pub mod masking;
pub mod orchestrator;
pub mod pipeline;
mod schema;
pub mod service;
pub mod standing;
pub mod steps;
pub mod store;
mod stripe;
#[cfg(feature = "temporal")]
pub mod temporal;
pub mod upkeep;
pub mod vault;
mod webhooks;
