//! Where connectors that are programs are looked for.

use clap::Args;
use terminal::documents;
use terminal::environment::Environment;
use terminal::failure::Failure;

use crate::process::{CommandMap, Search};

/// Where connectors that are not built in are looked for.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Connectors")]
pub struct ProgramArgs {
    /// Commands of connectors that are programs: JSON or a file of JSON, e.g. {"source-shop": "python3 shop.py"}
    #[arg(long, global = true, value_name = "JSON|FILE")]
    pub connectors_from_command_map: Option<String>,
    /// Do not look for connectors in node_modules and on the PATH
    #[arg(long, global = true)]
    pub no_connectors_from_path: bool,
    /// Look for connectors in npm at last: npx @stripe/sync-source-NAME
    #[arg(long, global = true)]
    pub connectors_from_npm: bool,
}
/// Decides it by flags, the `PATH` and the working folder.
///
/// `any_command`: whether the user, who gave all that there is, says what is run.
pub fn search(args: &ProgramArgs, environment: &Environment, any_command: bool) -> Result<Search, Failure> {
    let map = args.connectors_from_command_map.as_deref();
    let commands: Option<CommandMap> =
        map.map(|given| documents::read_any("--connectors-from-command-map", given)).transpose()?;
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
