//! The `stripe-simulator` command.
fn main() {}
