//! Where connectors that are programs are looked for.

use engine::process::{CommandMap, Search};

use super::args::ProgramArgs;
use super::documents;
use super::environment::Environment;
use super::failure::Failure;

/// Decides it by flags, the `PATH` and the working folder.
///
/// `any_command`: whether the user, who gave all that there is, says what is run.
pub(crate) fn search(
    args: &ProgramArgs,
    environment: &Environment,
    any_command: bool,
) -> Result<Search, Failure> {
    let map = args.connectors_from_command_map.as_deref();
    let commands: Option<CommandMap> =
        map.map(|given| documents::read("--connectors-from-command-map", given)).transpose()?;
    let everywhere = !args.no_connectors_from_path;
    let folders = environment.get("PATH").filter(|_| everywhere).unwrap_or_default();
    Ok(Search {
        commands: commands.unwrap_or_default(),
        working_folder: std::env::current_dir().ok().filter(|_| everywhere),
        folders: std::env::split_paths(folders).filter(|folder| folder.is_absolute()).collect(),
        npm: args.connectors_from_npm,
        any_command,
    })
}
