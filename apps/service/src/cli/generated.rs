//! The words of `api`: commands that are made from the OpenAPI document when they are asked for.

use std::sync::LazyLock;

use openapi_cli::{Api, Described, DocumentError, Naming, Words};

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

/// The service's API, as its own document describes it.
pub(crate) enum ServiceApi {}

impl Described for ServiceApi {
    fn api() -> Result<&'static Api, &'static DocumentError> {
        static API: LazyLock<Result<Api, DocumentError>> =
            LazyLock::new(|| Api::read(&opening::document(), &NAMING));
        API.as_ref()
    }
}

/// What `api` is given.
pub(crate) type ApiArgs = Words<ServiceApi>;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_document_can_be_read() {
        assert!(ServiceApi::api().is_ok(), "{:?}", ServiceApi::api().err());
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
