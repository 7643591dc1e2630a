//! What our programs for people share: values from the environment and `.env`, the channels (data on stdout, words on stderr),
//! signals, how a command ends, and how a sync looks while it goes on.

pub mod display;
pub mod documents;
pub mod environment;
pub mod failure;
pub mod interrupt;
pub mod output;
