//! The connectors that are built in.

use std::str::FromStr;
use std::sync::Arc;

use destination_google_sheets::{SheetsDestination, SheetsOptions};
use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use engine::process::Programs;
use engine::{Engine, Registry};
use source_stripe::{RequestMeter, SharedBudget, StripeSource, StripeSourceOptions};
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
    let given = connectors::stripe_options(|name| environment.get(name));
    let options = StripeSourceOptions {
        // Reading a location cannot fail: what is no address is a file.
        stripe_spec: spec.and_then(|spec| SpecLocation::from_str(spec).ok()),
        shared_budget,
        ..given.map_err(|error| Failure::usage(error.to_string()))?
    };
    let meter = Arc::clone(&options.meter);
    let programs = Programs::new(environment.search.clone());
    let sheets = connectors::sheets_options(|name| environment.get(name));
    Ok(Connected { engine: Engine::new(built_in(options, sheets).with_programs(programs)), meter })
}

/// The connectors that are built in.
pub(crate) fn built_in(options: StripeSourceOptions, sheets: SheetsOptions) -> Registry {
    Registry::new()
        .with_source(StripeSource::new(options))
        .with_destination(SqliteDestination)
        .with_destination(PostgresDestination)
        .with_destination(SheetsDestination::new(sheets))
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
