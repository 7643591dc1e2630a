//! From the body of a list response to records, without building a tree.

mod list;
mod object;

pub(crate) use list::{Page, PageBuilder, Shape, Unexpected, read_page, read_plain_page};
pub(crate) use object::Stamp;
