//! Staying current: what changed since the lists were read.
//!
//! An event is a hint that an object changed. All of them, polled or delivered, go one way:
//!
//! * `event` reads one; `tables` says which rows it is about and how they are read;
//! * `decide` and `coverage` say what to do about a batch of them: pure, and safe against events that are late, twice,
//!   out of order or of the same second;
//! * `apply` does it; `log` reads Stripe's log of events, oldest first, in bounded memory;
//! * `follow` does this for the log and for deliveries, `stay` without end; `begin` says where to begin;
//! * `standing` says which streams are not current, and why;
//! * `position` is what is remembered between reads, `form` how the rows looked that were read;
//! * `schedule` says which lists are read again because events do not tell all of their changes; `rereads` does it.

mod apply;
mod begin;
mod coverage;
mod decide;
mod event;
mod follow;
mod form;
mod log;
mod position;
mod rereads;
mod schedule;
mod standing;
mod stay;
mod tables;

pub(crate) use apply::{Applier, Gone, Stopped, Task, Todo};
pub(crate) use begin::{Missed, begin};
pub(crate) use coverage::{Coverage, Key, What};
pub(crate) use event::{Event, account_in};
pub(crate) use follow::{Follower, Pace};
pub(crate) use form::Forms;
pub(crate) use log::{EventLog, RETENTION};
pub(crate) use position::Position;
pub(crate) use rereads::Rereads;
pub(crate) use schedule::Due;
pub(crate) use stay::stay;
pub(crate) use tables::{Table, Tables};
