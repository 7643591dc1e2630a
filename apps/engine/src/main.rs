//! The `sync-engine` command.
fn main() {}
