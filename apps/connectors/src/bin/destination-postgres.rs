//! The PostgreSQL destination as a program.

use std::process::ExitCode;

use destination_postgres::PostgresDestination;

fn main() -> ExitCode {
    connectors::run(protocol::program::run_destination(&PostgresDestination, std::env::args_os()))
}
