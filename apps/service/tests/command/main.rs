//! The program as a process: what it prints, what it leaves behind, how it ends.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod mistakes;
mod pages;
mod program;
mod programs;
mod resources;
mod serving;
mod shop;
mod syncing;
