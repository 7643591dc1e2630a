//! The program under test.

pub(crate) use test_utils::program::{Ended, KEY, Program, settled, signal, wait_for};

/// Where it is.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_sync-engine");

/// `sync-engine` in a folder of its own.
pub(crate) fn sync_engine() -> Program {
    Program::at(PATH)
}
