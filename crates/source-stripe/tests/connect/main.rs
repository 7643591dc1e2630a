//! Several accounts behind one key, copied together (fidelity K4).
#![allow(clippy::unwrap_used)]

mod access;
mod copy;
mod following;
mod platform;
mod reading;
mod resuming;
