//! Nested lists: Stripe puts at most ten items into one, the rest is fetched (fidelity C3).
//!
//! * `scan`: finds the cut lists of an object in one pass over its text;
//! * `splice`: puts the missing items into the text;
//! * `complete`: fetches them.

pub(crate) mod complete;
mod scan;
mod splice;
