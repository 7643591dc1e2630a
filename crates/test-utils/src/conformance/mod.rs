//! What every connector must do, as suites that any of them can be put through.
//!
//! A suite asks for a fixture: the connector and a few ways to look at it from outside. Each rule is a
//! case with a name; all run, and all that fail are reported together:
//!
//! ```text
//! #[tokio::test(flavor = "multi_thread")]
//! async fn conforms() {
//!     conformance::destination::run_all(&MyFixture).await.assert_passed();
//! }
//! ```

pub mod destination;
mod json;
pub mod source;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value};

/// A connector's configuration.
pub type Config = Map<String, Value>;

/// How long one case may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many cases run at once.
const AT_ONCE: usize = 4;

/// One rule about to be checked.
struct Case<'f> {
    name: &'static str,
    run: BoxFuture<'f, anyhow::Result<()>>,
}

/// Which rules hold.
#[derive(Debug)]
pub struct Report {
    outcomes: Vec<(&'static str, Result<(), String>)>,
}

impl Report {
    /// The names of all rules that were checked.
    pub fn cases(&self) -> impl Iterator<Item = &'static str> {
        self.outcomes.iter().map(|(name, _)| *name)
    }

    /// The rules that do not hold, with the reasons.
    pub fn failures(&self) -> Vec<(&'static str, &str)> {
        self.outcomes
            .iter()
            .filter_map(|(name, outcome)| Some((*name, outcome.as_ref().err()?.as_str())))
            .collect()
    }

    /// Passes if every rule holds.
    ///
    /// # Panics
    /// With the name and the reason of each that does not.
    pub fn assert_passed(&self) {
        let failures = self.failures();
        let lines: Vec<String> =
            failures.iter().map(|(name, reason)| format!("  {name}: {reason}")).collect();
        assert!(
            failures.is_empty(),
            "{} of {} cases failed:\n{}",
            failures.len(),
            self.outcomes.len(),
            lines.join("\n")
        );
    }
}

async fn run(cases: Vec<Case<'_>>) -> Report {
    let outcomes = stream::iter(cases).map(|case| async move {
        let run = AssertUnwindSafe(case.run).catch_unwind();
        let outcome = match tokio::time::timeout(PATIENCE, run).await {
            Ok(Ok(result)) => result.map_err(|error| format!("{error:#}")),
            Ok(Err(panic)) => Err(format!("panicked: {}", panic_text(&*panic))),
            Err(_) => Err(format!("did not end within {} seconds", PATIENCE.as_secs())),
        };
        (case.name, outcome)
    });
    Report { outcomes: outcomes.buffered(AT_ONCE).collect().await }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Whether a configuration schema describes an object with properties.
fn check_config_schema(schema: &Map<String, Value>) -> anyhow::Result<()> {
    conformance::is_config_schema(schema)?;
    let properties = schema.get("properties").and_then(Value::as_object);
    anyhow::ensure!(properties.is_some_and(|properties| !properties.is_empty()), "there are no properties");
    Ok(())
}
