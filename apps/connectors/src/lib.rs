//! Our connectors as programs: `source-stripe`, `destination-postgres`, `destination-sqlite`,
//! `destination-google-sheets`.
//!
//! What is here is what programs know and connectors do not: the environment, the log on stdout, the runtime.

mod table_budget;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use destination_google_sheets::SheetsOptions;
use logger::{Format, Logging};
use protocol::ConnectorError;
use secrecy::SecretString;
use source_stripe::{ProxyRules, StripeSourceOptions};

pub use table_budget::TableBudget;

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

/// Where a machine of Google's tells which service account it runs as.
const METADATA: &str = "http://metadata.google.internal";

/// What the environment says to the Google Sheets destination: `GOOGLE_CLIENT_ID`, `GOOGLE_CLIENT_SECRET`,
/// `GOOGLE_REFRESH_TOKEN`, and where Application Default Credentials are: `GOOGLE_APPLICATION_CREDENTIALS`, the file that
/// `gcloud auth application-default login` writes (`CLOUDSDK_CONFIG`, `HOME`), `GCE_METADATA_HOST`.
pub fn sheets_options<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> SheetsOptions {
    let named = variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
    let folder = variable("CLOUDSDK_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config/gcloud")));
    let written = folder.map(|folder| folder.join("application_default_credentials.json"));
    // Elsewhere the name leads nowhere, so it is asked only where the environment is Google's.
    let metadata = variable("GCE_METADATA_HOST").map(|host| format!("http://{host}"));
    let runs_at_google = ["K_SERVICE", "GAE_SERVICE"].into_iter().any(|name| variable(name).is_some());
    SheetsOptions {
        client_id: variable("GOOGLE_CLIENT_ID").map(str::to_owned),
        client_secret: variable("GOOGLE_CLIENT_SECRET").map(SecretString::from),
        refresh_token: variable("GOOGLE_REFRESH_TOKEN").map(SecretString::from),
        credential_files: named.into_iter().chain(written).collect(),
        metadata_url: metadata.or_else(|| runs_at_google.then(|| METADATA.to_owned())),
        ..SheetsOptions::default()
    }
}

/// Where downloaded documents are kept; nowhere without a home.
fn cache_dir<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Option<PathBuf> {
    let own = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(own.or_else(home)?.join("sync-engine"))
}
