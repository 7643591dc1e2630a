//! Child streams: tables whose rows exist only under the rows of another (fidelity C4).
//!
//! * `sources`: which lists of which parents fill a child table at an API version;
//! * `rows`: the rows that lie in nested lists of a page of parents;
//! * `under`: the rows that have to be listed under each parent;
//! * `siblings`: which rows are all of a parent's, so that those it no longer holds go (fidelity U8).

mod rows;
mod siblings;
mod sources;
mod under;

pub(crate) use rows::{ChildRows, rows_of};
pub(crate) use siblings::sweep_message;
pub(crate) use sources::{
    Feed, Parent, can_be_filled, listed_in_place_of, listed_under, lists_accounts, parents_of, shown_by,
    within,
};
pub(crate) use under::{Arrived, Reading, Under};
