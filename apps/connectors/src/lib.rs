//! Our connectors as programs: `source-stripe`, `destination-postgres`, `destination-sqlite`.
//!
//! What is here is what programs know and connectors do not: the environment, the log on stdout, the runtime.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use logger::{Format, Logging};
use protocol::ConnectorError;
use secrecy::SecretString;
use source_stripe::{ProxyRules, StripeSourceOptions};

/// Where the level of the log is looked for.
const LOG_LEVEL: &str = "LOG_LEVEL";

/// Runs a connector to its end, with its log as messages on stdout.
pub fn run(connector: impl Future<Output = ExitCode>) -> ExitCode {
    allocator::give_large_blocks_back();
    // TLS needs one provider per process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let level = std::env::var(LOG_LEVEL).unwrap_or_else(|_| "info".to_owned());
    let sink = Arc::new(|line: &str| said(&mut std::io::stdout(), line));
    if let Err(error) = logger::install(Logging { level, format: Format::Protocol, sink }) {
        said(&mut std::io::stderr(), &format!("{LOG_LEVEL}: {error}"));
        return ExitCode::FAILURE;
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(connector);
            // A read of stdin that nobody waits for must not keep the process.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            said(&mut std::io::stderr(), &format!("the runtime cannot be started: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn said(to: &mut impl std::io::Write, line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(to, "{line}");
}

/// What the environment says to the Stripe source: `HTTPS_PROXY` and its like, `STRIPE_REQUEST_TIMEOUT_MS`, where
/// downloaded documents are kept (`XDG_CACHE_HOME`, `HOME`), and `GITHUB_TOKEN` or `GH_TOKEN` to get them. Fails where a value
/// cannot be understood.
pub fn stripe_options<'v>(
    variable: impl Fn(&str) -> Option<&'v str>,
) -> Result<StripeSourceOptions, ConnectorError> {
    let mut options = StripeSourceOptions {
        spec_cache_dir: cache_dir(&variable),
        github_token: ["GITHUB_TOKEN", "GH_TOKEN"].into_iter().find_map(&variable).map(SecretString::from),
        proxy: ProxyRules::from_variables(&variable)?,
        ..StripeSourceOptions::default()
    };
    if let Some(text) = variable("STRIPE_REQUEST_TIMEOUT_MS") {
        let millis = text.parse().ok().filter(|millis| *millis > 0);
        let refused = || ConnectorError::config("STRIPE_REQUEST_TIMEOUT_MS must be a positive integer");
        options.request_timeout = Duration::from_millis(millis.ok_or_else(refused)?);
    }
    Ok(options)
}

/// Where downloaded documents are kept; nowhere without a home.
fn cache_dir<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Option<PathBuf> {
    let own = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(own.or_else(home)?.join("sync-engine"))
}
