//! `sync-engine`: the command line of the sync engine.

mod cli;

fn main() -> std::process::ExitCode {
    allocator::give_large_blocks_back();
    cli::main()
}
