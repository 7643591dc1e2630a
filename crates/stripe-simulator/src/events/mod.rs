//! What the account tells of its changes.
//!
//! * `kinds` says which event types a change means: pure.
//! * `difference` says what `previous_attributes` holds: pure.
//! * `emission` looks at objects before and after a change and renders the events.
//! * `log` keeps the events for 30 days; some surface late: pure, the time is passed in.
//! * `text` writes their JSON, `answer` serves `/v1/events` and `/v2/core/events`.

pub(crate) mod answer;
pub(crate) mod difference;
pub(crate) mod emission;
pub(crate) mod kinds;
pub(crate) mod log;
pub(crate) mod text;

pub use emission::EventSettings;
pub(crate) use emission::{Feed, Subject};
pub(crate) use log::{Event, Generation};
