//! An engine that runs elsewhere: its address and its token.

use clap::Args;
use secrecy::SecretString;
use terminal::environment::Environment;
use terminal::failure::Failure;

use crate::remote::RemoteEngine;

/// The engine that does the work.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Address of an engine elsewhere (`sync-engine serve`) that does the work, e.g. http://127.0.0.1:3000
    /// [default: this process] [env: ENGINE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub engine_url: Option<String>,
    /// Token of that engine; better given by the environment [env: SYNC_ENGINE_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret)]
    pub engine_token: Option<SecretString>,
}

/// An engine at another address.
pub struct Elsewhere {
    /// As the user gave it.
    pub url: String,
    /// Its client.
    pub engine: RemoteEngine,
}

/// What a signal does to work that is done elsewhere.
pub const STOPPING: &str =
    "Stopping: the engine elsewhere is told by the end of the request. What it has stored stays";

impl EngineArgs {
    /// The engine elsewhere, if there is to be one.
    pub fn resolve(&self, environment: &Environment) -> Result<Option<Elsewhere>, Failure> {
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

/// The value of a flag that nothing shows.
pub fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text.to_owned()))
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
