//! The program under test.

pub(crate) use test_utils::program::{Ended, KEY, Program, signal, wait_for};

/// `sync-service` in a folder of its own.
pub(crate) fn sync_service() -> Program {
    Program::at(env!("CARGO_BIN_EXE_sync-service"))
}
