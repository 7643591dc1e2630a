//! The program as a process: what it prints, what it leaves behind, how it ends.

mod account;
mod data;
mod interrupts;
mod mistakes;
mod program;
mod words;
