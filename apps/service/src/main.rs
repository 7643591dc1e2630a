//! `sync-service`: the command line of the sync service.

mod cli;

fn main() -> std::process::ExitCode {
    allocator::give_large_blocks_back();
    cli::main()
}
