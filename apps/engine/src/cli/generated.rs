//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::sync::LazyLock;

use clap::Args;
use destination_google_sheets::SheetsOptions;
use engine::program::{EngineArgs, built_in};
use openapi_cli::{Api, Described, DocumentError, Naming, Words};
use source_stripe::StripeSourceOptions;

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

/// The engine's API, as its own document describes it.
pub(crate) enum EngineApi {}

impl Described for EngineApi {
    fn api() -> Result<&'static Api, &'static DocumentError> {
        static API: LazyLock<Result<Api, DocumentError>> = LazyLock::new(|| {
            let registry = built_in(StripeSourceOptions::default(), SheetsOptions::default());
            Api::read(&engine::api::openapi(&registry, true), &NAMING)
        });
        API.as_ref()
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) words: Words<EngineApi>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_document_can_be_read() {
        assert!(EngineApi::api().is_ok(), "{:?}", EngineApi::api().err());
    }

    #[test]
    fn flags_of_the_program_are_reserved() {
        let program = crate::cli::args::Cli::command();
        let global = program.get_arguments().filter(|flag| flag.is_global_set());
        for name in global.filter_map(clap::Arg::get_long) {
            assert!(NAMING.reserved.contains(&name), "--{name} would be taken for a field");
        }
    }
}
