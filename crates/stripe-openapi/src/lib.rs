//! What is known about Stripe's API: catalogs of every version, and the facts no document tells.

mod catalog;

pub use catalog::{
    Catalog, ChildList, Column, ColumnType, EventType, ListEndpoint, ListStyle, NestedList, Parameter, Resource,
};
