//! `completions`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::session::Session;

pub(super) fn run(shell: Shell, session: &Session) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sync-engine", &mut script);
    session.output.line(String::from_utf8_lossy(&script).trim_end());
}
