//! `sync-engine`: the command line of the sync engine.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
