//! What the HTTP servers share: one shape of errors, bodies of NDJSON that are produced as they are read, request
//! ids, who may ask, limits, shutdown, and the assembly of OpenAPI documents.
//!
//! This crate knows requests and messages; it knows no connector, no engine, no environment.

mod access;
mod failure;
mod issue;
mod lines;
pub mod openapi;
mod reading;
mod request;
mod serving;

pub use access::{Access, bearer, names_this_machine};
pub use failure::ApiError;
pub use issue::{Issue, Issues, Step};
pub use lines::{KEEP_ALIVE, Lines, NDJSON, ndjson};
pub use reading::{BODY_LIMIT, Incoming, Members, read, read_whole, whole};
pub use request::{Identified, REQUEST_ID, identify};
pub use serving::{GRACE, serve};
