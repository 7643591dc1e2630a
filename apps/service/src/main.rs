//! `sync-service`: the command line of the sync service.

fn main() {}
