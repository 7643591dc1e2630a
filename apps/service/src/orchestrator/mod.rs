//! When which step of which pipeline is done.

mod due;
mod embedded;
mod slots;

pub(crate) use due::follow_interval;
pub use due::{Due, Pace, due};
pub use embedded::{Embedded, EmbeddedOptions};
