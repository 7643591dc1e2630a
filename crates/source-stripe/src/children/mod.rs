//! Child streams: tables whose rows exist only under the rows of another (fidelity C4).
//!
//! * `sources`: which lists of which parents fill a child table at an API version;
//! * `rows`: the rows that lie in nested lists of a page of parents;
//! * `under`: the rows that have to be listed under each parent.

mod rows;
mod sources;
mod under;

pub(crate) use rows::{ChildRows, rows_of};
pub(crate) use sources::{Feed, can_be_filled, lists_accounts, parents_of, within};
pub(crate) use under::{Arrived, Reading};
