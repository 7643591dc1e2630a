//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::fmt;
use std::sync::LazyLock;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use openapi_cli::{Api, Call, DocumentError, Naming};
use terminal::failure::Failure;

use super::opening;

/// What the document does not say: the flags of the program itself.
const NAMING: Naming<'_> = Naming {
    groups: &[],
    reserved: &[
        "data-dir",
        "store",
        "master-key-file",
        "master-key-command",
        "engine-url",
        "engine-token",
        "connectors-from-command-map",
        "no-connectors-from-path",
        "connectors-from-npm",
        "service-url",
        "service-token",
        "json",
        "plain",
        "log-level",
        "help",
        "version",
    ],
};

/// The commands of the document that the API serves. Making it takes a while, so it is made only for who asks for `api`, or for a
/// list of all there is.
static API: LazyLock<Result<Api, DocumentError>> =
    LazyLock::new(|| Api::read(&service::api::openapi(opening::validator().registry()), &NAMING));

/// What `api` is given: the words of one of the generated commands.
#[derive(Clone)]
pub(crate) struct ApiArgs {
    matches: ArgMatches,
}

/// Values may be secret, so only the operation is shown.
impl fmt::Debug for ApiArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.matches.subcommand().map(|(name, group)| (name, group.subcommand_name()));
        formatter.debug_tuple("ApiArgs").field(&group).finish()
    }
}

impl ApiArgs {
    /// The call that the words ask for.
    pub(crate) fn call(&self) -> Result<Call, Failure> {
        let api = API.as_ref().map_err(|error| Failure::failed(error.to_string()))?;
        api.call(&self.matches).map_err(|error| Failure::usage(error.to_string()))
    }
}

impl FromArgMatches for ApiArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ApiArgs, clap::Error> {
        Ok(ApiArgs { matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = ApiArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ApiArgs {
    fn augment_args(command: Command) -> Command {
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
            .defer(with_commands)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ApiArgs::augment_args(command)
    }
}

fn with_commands(command: Command) -> Command {
    // A document that is wrong is told when it is called.
    command.subcommands(API.iter().flat_map(Api::commands))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_can_be_read() {
        assert!(API.is_ok(), "{:?}", API.as_ref().err());
    }
}
