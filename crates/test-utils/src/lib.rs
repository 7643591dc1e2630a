//! PostgreSQL clusters, a Google Sheets server and Temporal's development server for tests, and the suite every connector must pass.

pub mod conformance;
pub mod postgres;
pub mod sheets;
pub mod temporal;
