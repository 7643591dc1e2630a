//! PostgreSQL clusters and a Google Sheets server for tests, and the suite every connector must pass.

pub mod conformance;
pub mod postgres;
pub mod sheets;
