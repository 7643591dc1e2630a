//! PostgreSQL clusters for tests, and the suite every connector must pass.

pub mod conformance;
pub mod postgres;
