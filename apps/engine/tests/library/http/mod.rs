//! The engine through HTTP.

mod access;
mod bodies;
mod comparing;
mod documents;
mod flow;
mod logs;
mod operations;
mod query;
mod remote;
pub(crate) mod served;
mod sources;
mod status;
