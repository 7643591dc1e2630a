//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::sync::LazyLock;

use clap::{Args, CommandFactory};
use destination_google_sheets::SheetsOptions;
use engine::program::{EngineArgs, built_in};
use openapi_cli::{Api, Described, DocumentError, Naming, Words, own_flags};
use source_stripe::StripeSourceOptions;

use super::args::Cli;

/// The engine's API, as its own document describes it.
pub(crate) enum EngineApi {}

impl Described for EngineApi {
    fn api() -> Result<&'static Api, &'static DocumentError> {
        static API: LazyLock<Result<Api, DocumentError>> = LazyLock::new(|| {
            let registry = built_in(StripeSourceOptions::default(), SheetsOptions::default());
            let reserved = own_flags(&Cli::command(), "api");
            let naming = Naming { groups: &[("Stateless Sync API", "pipeline")], reserved: &reserved };
            Api::read(&engine::api::openapi(&registry, true), &naming)
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

    #[test]
    fn the_document_can_be_read() {
        assert!(EngineApi::api().is_ok(), "{:?}", EngineApi::api().err());
    }
}
