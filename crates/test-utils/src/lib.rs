//! PostgreSQL clusters, a Google Sheets server and programs in folders of their own for tests, and the suite every connector must pass.

pub mod conformance;
pub mod postgres;
pub mod program;
pub mod sheets;
