//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::sync::LazyLock;

use clap::CommandFactory;
use openapi_cli::{Api, Described, DocumentError, Naming, Words, own_flags};

use super::args::Cli;
use super::opening;

/// The service's API, as its own document describes it.
pub(crate) enum ServiceApi {}

impl Described for ServiceApi {
    fn api() -> Result<&'static Api, &'static DocumentError> {
        static API: LazyLock<Result<Api, DocumentError>> = LazyLock::new(|| {
            let reserved = own_flags(&Cli::command(), "api");
            Api::read(&opening::document(), &Naming { groups: &[], reserved: &reserved })
        });
        API.as_ref()
    }
}

/// What `api` is given.
pub(crate) type ApiArgs = Words<ServiceApi>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_can_be_read() {
        assert!(ServiceApi::api().is_ok(), "{:?}", ServiceApi::api().err());
    }
}
