//! What is known about Stripe's API: catalogs of every version, and the facts no document tells.
//!
//! A [`Catalog`] says what one version of the API offers: which lists there are and how they are paged, which
//! columns a resource has, which lists are nested in it, and which events tell of it. [`knowledge`] says what
//! must be known besides to copy an account completely.
//!
//! # Where the facts come from
//!
//! Stripe publishes an OpenAPI document of each API version. [`parse`] turns one into a catalog. The catalogs of
//! all versions share almost everything, so they are kept as facts with the versions in which they hold
//! ([`history`]): one text file for each resource in `catalog/`, made by the tool `stripe-catalog`, reviewed
//! like code, compressed into the binary by the build script, and read by [`embedded`] when needed.
//! [`resolve`] finds the catalog of a version that is not embedded.
//!
//! # How to add a version
//!
//! Put its document beside those of the other versions (the documents are not part of this repository), then:
//!
//! ```text
//! cargo run -p stripe-openapi --bin stripe-catalog -- compile <folder>...
//! git diff crates/stripe-openapi/catalog
//! cargo test -p stripe-openapi
//! ```
//!
//! The tool reads its facts back and fails unless every version equals its document. The diff shows what Stripe
//! changed. The tests fail where an entry of [`knowledge`] names something that is gone; a new list or event
//! asks for a look whether it needs an entry.

mod catalog;
pub mod embedded;
mod error;
pub mod history;
pub mod knowledge;
pub mod parse;
pub mod projection;
pub mod resolve;
mod version;

pub use catalog::{
    Catalog, ChildList, Column, ColumnType, EventType, ListEndpoint, ListStyle, NestedList, Parameter,
    Resource,
};
pub use error::Error;
pub use version::ApiVersion;
