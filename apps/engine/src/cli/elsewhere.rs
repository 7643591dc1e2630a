//! What cannot be asked of an engine that runs elsewhere.

use engine::process::Search;

use super::args::PipelineArgs;
use super::failure::Failure;
use super::settings::DestinationSettings;

/// Refuses flags that only an engine in this process can keep to.
pub(crate) fn refuse_local_flags(args: &PipelineArgs, search: &Search) -> Result<(), Failure> {
    let refused = [
        (args.source.stripe_spec.is_some(), "--stripe-spec", "with an API version that it has built in"),
        (
            args.share.shared_limit_url.is_some(),
            "--shared-limit-url",
            "with a --stripe-rate-limit that leaves the others their part",
        ),
        (
            args.share.share_limit,
            "--share-limit",
            "with a --stripe-rate-limit that leaves the others their part",
        ),
        (
            !search.commands.is_empty(),
            "--connectors-from-command-map",
            "and give the map to `sync-engine serve` there",
        ),
        (search.npm, "--connectors-from-npm", "and give the flag to `sync-engine serve` there"),
        (
            // Nothing else leaves no place to look at.
            search.working_folder.is_none() && search.folders.is_empty(),
            "--no-connectors-from-path",
            "and give the flag to `sync-engine serve` there",
        ),
    ];
    match refused.into_iter().find(|(given, ..)| *given) {
        Some((_, flag, instead)) => Err(Failure::usage(format!(
            "{flag} acts only in this process, but an engine elsewhere does the work (--engine-url or ENGINE_URL): sync \
             without {flag}, {instead}; or sync without that engine"
        ))),
        None => Ok(()),
    }
}

/// Refuses a file that the user did not name: it would appear on the machine of the engine.
pub(crate) fn refuse_unnamed_file(destination: &DestinationSettings) -> Result<(), Failure> {
    match destination.unnamed_file {
        true => Err(Failure::usage(
            "no destination was given, and the usual file would be made on the machine of the engine: name the \
             database by --postgres-url, or a file there by --sqlite PATH",
        )),
        false => Ok(()),
    }
}
