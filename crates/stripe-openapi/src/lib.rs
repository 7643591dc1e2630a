//! What is known about Stripe's API: catalogs of every version, and the facts no document tells.

mod catalog;
mod error;
pub mod embedded;
pub mod history;
pub mod knowledge;
pub mod parse;
mod version;

pub use catalog::{
    Catalog, ChildList, Column, ColumnType, EventType, ListEndpoint, ListStyle, NestedList, Parameter, Resource,
};
pub use error::Error;
pub use version::ApiVersion;
