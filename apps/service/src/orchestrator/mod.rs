//! When which step of which pipeline is done.

mod due;
mod embedded;
mod slots;

#[cfg(feature = "temporal")]
pub(crate) use due::follow_interval;
pub use due::{Due, Pace, deliver_at, due};
pub use embedded::{Embedded, EmbeddedOptions};
