//! PostgreSQL clusters, a Google Sheets server, Temporal's development server and programs in folders of their own for tests, and the
//! suite every connector must pass.

pub mod conformance;
pub mod openapi;
pub mod postgres;
pub mod program;
pub mod sheets;
pub mod temporal;
