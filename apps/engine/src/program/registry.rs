//! The connectors that are built in.

use std::str::FromStr;
use std::sync::Arc;

use destination_google_sheets::{SheetsDestination, SheetsOptions};
use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use source_stripe::{RequestMeter, SharedBudget, StripeSource, StripeSourceOptions};
use stripe_openapi::resolve::SpecLocation;
use terminal::display::Requests;
use terminal::environment::Environment;
use terminal::failure::Failure;

use crate::process::{Programs, Search};
use crate::{Engine, Registry};

/// An engine with every built-in connector, and the counter of its requests to Stripe.
pub struct Connected {
    /// The engine.
    pub engine: Engine,
    /// The counter.
    pub meter: Arc<RequestMeter>,
}

/// Builds the engine, as the environment says. `spec` is an OpenAPI document for an API version that is not built in, `search` says where
/// connectors that are programs are looked for, `shared_budget` shares the rate limit.
pub fn connect(
    spec: Option<&str>,
    environment: &Environment,
    search: Search,
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
    let programs = Programs::new(search);
    let sheets = connectors::sheets_options(|name| environment.get(name));
    Ok(Connected { engine: Engine::new(built_in(options, sheets).with_programs(programs)), meter })
}

/// The connectors that are built in.
pub fn built_in(options: StripeSourceOptions, sheets: SheetsOptions) -> Registry {
    Registry::new()
        .with_source(StripeSource::new(options))
        .with_destination(SqliteDestination)
        .with_destination(PostgresDestination)
        .with_destination(SheetsDestination::new(sheets))
}

/// What the counter says now.
pub fn requests(meter: &RequestMeter) -> Requests {
    Requests {
        sent: meter.requests_sent(),
        refused: meter.responses_429(),
        allowed_rate: meter.allowed_rate(),
        expected: meter.expected_requests(),
    }
}
