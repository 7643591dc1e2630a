//! The connectors that are built in.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use engine::{Engine, Registry};
use secrecy::SecretString;
use source_stripe::{ProxyRules, RequestMeter, SharedBudget, StripeSource, StripeSourceOptions};
use stripe_openapi::resolve::SpecLocation;

use super::display::Requests;
use super::environment::Environment;
use super::failure::Failure;

/// An engine with every built-in connector, and the counter of its requests to Stripe.
pub(crate) struct Connected {
    pub(crate) engine: Engine,
    pub(crate) meter: Arc<RequestMeter>,
}

/// Builds the engine. `spec` is an OpenAPI document for an API version that is not built in.
pub(crate) fn connect(
    spec: Option<&str>,
    environment: &Environment,
    shared_budget: Option<Arc<dyn SharedBudget>>,
) -> Result<Connected, Failure> {
    let mut options = StripeSourceOptions {
        // Reading a location cannot fail: what is no address is a file.
        stripe_spec: spec.and_then(|spec| SpecLocation::from_str(spec).ok()),
        spec_cache_dir: cache_dir(environment),
        github_token: ["GITHUB_TOKEN", "GH_TOKEN"]
            .into_iter()
            .find_map(|name| environment.get(name))
            .map(SecretString::from),
        proxy: ProxyRules::from_variables(|name| environment.get(name))
            .map_err(|error| Failure::usage(error.to_string()))?,
        shared_budget,
        ..StripeSourceOptions::default()
    };
    if let Some(text) = environment.get("STRIPE_REQUEST_TIMEOUT_MS") {
        let millis = text.parse().ok().filter(|millis| *millis > 0);
        let millis =
            millis.ok_or_else(|| Failure::usage("STRIPE_REQUEST_TIMEOUT_MS must be a positive integer"))?;
        options.request_timeout = Duration::from_millis(millis);
    }
    let meter = Arc::clone(&options.meter);
    let registry = Registry::new()
        .with_source(StripeSource::new(options))
        .with_destination(SqliteDestination)
        .with_destination(PostgresDestination);
    Ok(Connected { engine: Engine::new(registry), meter })
}

/// Where downloaded documents are kept; nowhere without a home.
fn cache_dir(environment: &Environment) -> Option<PathBuf> {
    let own = environment.get("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(own.or_else(home)?.join("sync-engine"))
}

/// What the counter says now.
pub(crate) fn requests(meter: &RequestMeter) -> Requests {
    Requests {
        sent: meter.requests_sent(),
        refused: meter.responses_429(),
        allowed_rate: meter.allowed_rate(),
        expected: meter.expected_requests(),
    }
}
