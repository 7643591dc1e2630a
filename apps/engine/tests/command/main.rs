//! The program as a process: what it prints, what it leaves behind, how it ends.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod account;
mod api;
mod conformance;
mod connected;
mod data;
mod doctor;
mod elsewhere;
mod interrupts;
mod keys;
mod mistakes;
mod pages;
mod paths;
mod postgres;
mod program;
mod programs;
mod reconciling;
mod server;
mod serving;
mod sheets;
mod standing;
#[cfg(feature = "otel")]
mod traces;
mod words;
