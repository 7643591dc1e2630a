//! What the API, the webhooks and the orchestrators share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::{Engine, Role};
use futures::future::BoxFuture;
use http_api::Issue;
use protocol::ConnectorConfig;
use serde_json::{Map, Value};
use source_stripe::StripeSource;

use crate::masking::{Fingerprints, mask, unmask};
use crate::pipeline::DesiredStatus;
use crate::steps::Steps;
use crate::store::Store;
use crate::webhooks::Intake;

/// What an orchestrator elsewhere has to hear of. One in this process looks at the store.
pub trait Announce: Send + Sync {
    /// A pipeline was created, or is wanted otherwise than before.
    fn wanted(&self, id: &str, desired: DesiredStatus) -> BoxFuture<'static, Result<(), String>>;

    /// Something was delivered for a pipeline.
    fn delivered(&self, id: &str) -> BoxFuture<'static, Result<(), String>>;
}

/// What the configuration of a connector looks like.
enum Schema {
    Known(Arc<Value>),
    /// It could not be told when it was last asked for: there is no such connector (any more), or its program fails.
    Unknown(Instant),
}

/// So long a connector that could not tell is left alone: a program takes its time to fail.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The service.
pub struct Service {
    pub(crate) steps: Steps,
    /// Knows the connectors, for what is asked about their configurations.
    pub(crate) engine: Engine,
    /// Asks Stripe itself for past events, which no connector is asked for.
    pub(crate) stripe: StripeSource,
    pub(crate) fingerprints: Fingerprints,
    /// What configurations look like, by role and type.
    schemas: Mutex<HashMap<(Role, String), Schema>>,
    pub(crate) intake: Intake,
    pub(crate) announce: Option<Arc<dyn Announce>>,
    /// Whether somebody does what is due. Where nobody does, a deletion is done at once.
    pub(crate) orchestrated: bool,
}

impl Service {
    /// The service over these steps. `engine` knows the connectors. Stripe is asked for past events directly, as a source with the
    /// usual options does; see [`Service::asking`].
    pub fn new(steps: Steps, engine: Engine) -> Service {
        let intake = Intake::new(steps.store().clone());
        let fingerprints = Fingerprints::of(steps.store().vault());
        let schemas = Mutex::default();
        Service {
            steps,
            engine,
            stripe: StripeSource::default(),
            fingerprints,
            schemas,
            intake,
            announce: None,
            orchestrated: false,
        }
    }

    /// The same, asking Stripe for past events as this source does: by its proxy, within the rate that it shares.
    #[must_use]
    pub fn asking(self, stripe: StripeSource) -> Service {
        Service { stripe, ..self }
    }

    /// The same, with an orchestrator in this process or in another one that looks at the same store.
    #[must_use]
    pub fn orchestrated(self) -> Service {
        Service { orchestrated: true, ..self }
    }

    /// The same, with an orchestrator that has to be told.
    #[must_use]
    pub fn announcing(self, announce: Arc<dyn Announce>) -> Service {
        Service { announce: Some(announce), orchestrated: true, ..self }
    }

    /// The steps that it lets pipelines take.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.steps.store()
    }

    /// What the configuration of a connector looks like; `None` where nobody here can say.
    fn schema(&self, role: Role, connector: &str) -> Option<Arc<Value>> {
        let key = (role, connector.to_owned());
        match self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            Some(Schema::Known(schema)) => return Some(Arc::clone(schema)),
            Some(Schema::Unknown(asked)) if asked.elapsed() < ASK_AGAIN => return None,
            _ => {}
        }
        let registry = self.engine.registry();
        let spec = match role {
            Role::Source => registry.source(connector).map(|known| known.spec()),
            Role::Destination => registry.destination(connector).map(|known| known.spec()),
        };
        let schema = spec.ok().map(|spec| Arc::new(Value::Object(spec.config)));
        let known = schema.clone().map_or_else(|| Schema::Unknown(Instant::now()), Schema::Known);
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known);
        schema
    }

    /// A connector as it is shown.
    pub(crate) fn shown(&self, role: Role, connector: &ConnectorConfig) -> ConnectorConfig {
        let schema = self.schema(role, &connector.connector);
        let config = mask(&connector.config, schema.as_deref(), &self.fingerprints);
        ConnectorConfig::new(&*connector.connector, config)
    }

    /// The configuration that a client means, which sends secrets as they were shown.
    pub(crate) fn meant(
        &self,
        role: Role,
        given: &Map<String, Value>,
        stored: &ConnectorConfig,
    ) -> Result<Map<String, Value>, Issue> {
        let schema = self.schema(role, &stored.connector);
        unmask(given, &stored.config, schema.as_deref(), &self.fingerprints)
    }

    /// Tells an orchestrator elsewhere. What it does not hear it finds in the store later, so a failure is only logged.
    pub(crate) async fn announce_wanted(&self, id: &str, desired: DesiredStatus) {
        if let Some(announce) = &self.announce
            && let Err(error) = announce.wanted(id, desired).await
        {
            tracing::warn!(pipeline = id, error, "the orchestrator could not be told of a change");
        }
    }
}
