//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::fmt;
use std::sync::LazyLock;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use destination_google_sheets::SheetsOptions;
use engine::program::{EngineArgs, built_in};
use openapi_cli::{Api, Call, DocumentError, Naming};
use source_stripe::StripeSourceOptions;

use super::failure::Failure;

/// What the document does not say: the group of the pipelines' operations, and the flags of the program itself.
const NAMING: Naming<'_> = Naming {
    groups: &[("Stateless Sync API", "pipeline")],
    reserved: &[
        "engine-url",
        "engine-token",
        "json",
        "plain",
        "verbose",
        "quiet",
        "log-level",
        "connectors-from-command-map",
        "no-connectors-from-path",
        "connectors-from-npm",
        "help",
        "version",
    ],
};

/// The commands of the document that the API serves. Making it takes a while, so it is made only for who asks for `api`, or for a
/// list of all there is.
static API: LazyLock<Result<Api, DocumentError>> = LazyLock::new(|| {
    let registry = built_in(StripeSourceOptions::default(), SheetsOptions::default());
    Api::read(&engine::api::openapi(&registry, true), &NAMING)
});

/// What `api` is given: the engine, and the words of one of the generated commands.
#[derive(Clone)]
pub(crate) struct ApiArgs {
    pub(crate) engine: EngineArgs,
    matches: ArgMatches,
}

/// Values may be secret, so only the command is shown.
impl fmt::Debug for ApiArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ApiArgs").field(&self.operation()).finish()
    }
}

impl ApiArgs {
    /// The call that the words ask for.
    pub(crate) fn call(&self) -> Result<Call, Failure> {
        let api = API.as_ref().map_err(|error| Failure::failed(error.to_string()))?;
        api.call(&self.matches).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The name of the command, such as `pipeline-sync`.
    pub(crate) fn operation(&self) -> Option<&str> {
        let (_, group) = self.matches.subcommand()?;
        group.subcommand_name()
    }
}

impl FromArgMatches for ApiArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ApiArgs, clap::Error> {
        Ok(ApiArgs { engine: EngineArgs::from_arg_matches(matches)?, matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = ApiArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ApiArgs {
    fn augment_args(command: Command) -> Command {
        EngineArgs::augment_args(command)
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
