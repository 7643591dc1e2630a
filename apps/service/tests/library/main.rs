//! The service as a library: its API over HTTP, its orchestrator, both stores, against a simulated Stripe.
#![allow(clippy::unwrap_used)]

mod access;
#[path = "../asking/mod.rs"]
mod asking;
mod by_hand;
mod changed;
mod documents;
mod elsewhere;
mod going;
mod held;
mod leases;
mod lifecycle;
mod listening;
mod logs;
mod programs;
mod refusals;
mod secrets;
mod served;
mod tricks;
mod webhooks;
