//! Making batches durable.
//!
//! A record becomes a [`row::Row`] (its key, its version, its payload); the rows of a batch are
//! reduced to one change per key ([`plan`]); the plan is written by a few statements in one
//! transaction ([`writer`]). Writing a plan twice is the same as writing it once, so a transaction
//! whose outcome is unknown is simply tried again.

mod copy;
mod culprit;
mod deletion;
mod parts;
mod plan;
mod row;
mod statements;
mod storable;
mod stream;
mod trend;
mod upsert;
mod value;
mod writer;

pub(crate) use writer::Writer;
