//! `man`: manual pages.

use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

/// What stands at the foot of a page.
const VERSION: &str = concat!("sync-engine ", env!("CARGO_PKG_VERSION"));

/// Prints the page of the program, or of one of its commands.
pub(super) fn run(command: Option<&str>, session: &Session) -> Result<(), Failure> {
    let mut program = Cli::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            let known: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
            found.ok_or_else(|| {
                Failure::usage(format!("there is no command `{name}`; there are {}", known.join(", ")))
            })?
        }
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(page).source(VERSION).manual("sync-engine").render(&mut text);
    rendered.map_err(|error| Failure::failed(format!("the page cannot be made: {error}")))?;
    session.output.line(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}
