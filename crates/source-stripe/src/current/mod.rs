//! Staying current: what changed since the lists were read.
//!
//! An event is a hint that an object changed. All of them, polled or delivered, go one way:
//!
//! * `event` reads one; `tables` says which rows it is about and how they are read;
//! * `decide` and `coverage` say what to do about a batch of them: pure, and safe against events that are late, twice,
//!   out of order or of the same second;
//! * `apply` does it; `log` reads Stripe's log of events, oldest first, in bounded memory;
//! * `position` is what is remembered between reads;
//! * `schedule` says which lists are read again because events do not tell all of their changes.

mod apply;
mod coverage;
mod decide;
mod event;
mod follow;
mod log;
mod position;
mod tables;
