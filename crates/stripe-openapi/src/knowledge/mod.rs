//! Facts about Stripe's API that no document tells, kept by hand in one place.
//!
//! Nothing else in the workspace may know such a fact by itself: whoever lists, retrieves or simulates asks
//! here. A test proves that every entry names something that exists in the newest version of the API, or in
//! the embedded version that it names.

pub mod children;
pub mod events;
pub mod landmarks;
pub mod lists;
pub mod names;
pub mod permissions;
pub mod refusals;
