//! An engine that runs elsewhere: its address, its token, and what cannot be asked of it.

use clap::Args;
use engine::process::Search;
use engine::remote::RemoteEngine;
use secrecy::SecretString;

use super::args::{PipelineArgs, secret};
use super::environment::Environment;
use super::failure::Failure;
use super::settings::DestinationSettings;

/// The engine that does the work.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// Address of an engine elsewhere (`sync-engine serve`) that does the work, e.g. http://127.0.0.1:3000
    /// [default: this process] [env: ENGINE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) engine_url: Option<String>,
    /// Token of that engine; better given by the environment [env: SYNC_ENGINE_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret)]
    pub(crate) engine_token: Option<SecretString>,
}

/// An engine at another address.
pub(crate) struct Elsewhere {
    pub(crate) url: String,
    pub(crate) engine: RemoteEngine,
}

/// What a signal does to work that is done elsewhere.
pub(crate) const STOPPING: &str =
    "Stopping: the engine elsewhere is told by the end of the request. What it has stored stays";

impl EngineArgs {
    /// The engine elsewhere, if there is to be one.
    pub(crate) fn resolve(&self, environment: &Environment) -> Result<Option<Elsewhere>, Failure> {
        let (flag, variable) = ("--engine-url", "ENGINE_URL");
        let given = self.engine_url.as_deref().map(|url| (flag, url));
        let given = given.or_else(|| Some((variable, environment.get(variable)?)));
        let Some((name, url)) = given else {
            return match self.engine_token {
                Some(_) => Err(Failure::usage(format!(
                    "--engine-token is for an engine elsewhere, but none is named: give its address by {flag} or \
                     {variable}"
                ))),
                None => Ok(None),
            };
        };
        let token = self.engine_token.clone();
        let token = token.or_else(|| environment.get("SYNC_ENGINE_TOKEN").map(SecretString::from));
        let engine = RemoteEngine::new(url, token)
            .map_err(|error| Failure::usage(format!("{name}: {error}; it is like http://127.0.0.1:3000")))?;
        Ok(Some(Elsewhere { url: url.to_owned(), engine }))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(
        url: Option<&str>,
        token: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<String>, Failure> {
        let args = EngineArgs {
            engine_url: url.map(str::to_owned),
            engine_token: token.map(|token| SecretString::from(token.to_owned())),
        };
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::new(variables, None).unwrap();
        args.resolve(&environment).map(|found| found.map(|elsewhere| elsewhere.url))
    }

    #[test]
    fn the_address_comes_from_the_flag_or_the_environment() {
        // Clients want a provider of TLS; a second one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let variables = [("ENGINE_URL", "http://b:1"), ("SYNC_ENGINE_TOKEN", "t")];
        assert_eq!(resolved(Some("http://a:1"), None, &variables).unwrap().as_deref(), Some("http://a:1"));
        assert_eq!(resolved(None, Some("t"), &variables).unwrap().as_deref(), Some("http://b:1"));
        assert_eq!(resolved(None, None, &variables[1..]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let text = |result: Result<Option<String>, Failure>| result.unwrap_err().text().unwrap().to_owned();
        assert!(text(resolved(None, Some("t"), &[])).contains("by --engine-url or ENGINE_URL"));
        assert!(
            text(resolved(Some("localhost:3000"), None, &[])).starts_with("--engine-url: `localhost:3000`")
        );
        assert!(
            text(resolved(None, None, &[("ENGINE_URL", "ftp://a")]))
                .starts_with("ENGINE_URL: `ftp://a` must")
        );
    }
}
