//! What the API, the webhooks and the orchestrators share.

use std::sync::Arc;

use engine::Engine;
use futures::future::BoxFuture;

use crate::masking::Fingerprints;
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

/// The service.
pub struct Service {
    pub(crate) steps: Steps,
    /// Knows the connectors, for what is asked about their configurations.
    pub(crate) engine: Engine,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) intake: Intake,
    pub(crate) announce: Option<Arc<dyn Announce>>,
    /// Whether somebody does what is due. Where nobody does, a deletion is done at once.
    pub(crate) orchestrated: bool,
}

impl Service {
    /// The service over these steps. `engine` knows the connectors.
    pub fn new(steps: Steps, engine: Engine, fingerprints: Fingerprints) -> Service {
        let intake = Intake::new(steps.store().clone());
        Service { steps, engine, fingerprints, intake, announce: None, orchestrated: false }
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

    /// Tells an orchestrator elsewhere. What it does not hear it finds in the store later, so a failure is only logged.
    pub(crate) async fn announce_wanted(&self, id: &str, desired: DesiredStatus) {
        if let Some(announce) = &self.announce
            && let Err(error) = announce.wanted(id, desired).await
        {
            tracing::warn!(pipeline = id, error, "the orchestrator could not be told of a change");
        }
    }
}
