//! What a stream's table looks like, and what is there already.

mod allowed;
mod column;
pub(crate) mod existing;
pub(crate) mod late;
pub(crate) mod projection;
pub(crate) mod record;
mod shape;
pub(crate) mod view;

pub(crate) use allowed::AllowedValues;
pub(crate) use column::Column;
pub use projection::Projection;
pub(crate) use shape::{Index, Table};

/// Table of the keys that were deleted, see the `write` module.
pub(crate) const TOMBSTONES: &str = "_sync_tombstones";
