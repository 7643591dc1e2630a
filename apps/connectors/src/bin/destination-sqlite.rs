//! The SQLite destination as a program.

use std::process::ExitCode;

use destination_sqlite::SqliteDestination;

fn main() -> ExitCode {
    connectors::run(protocol::program::run_destination(&SqliteDestination, std::env::args_os()))
}
