//! The engine itself: connectors, a clock, and the parts that all operations share.

use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    AnyDestination, AnySource, CatalogMessage, ConnectorConfig, Message, MessageStream, Payload,
    PipelineConfig, StateStore, Timestamp,
};

use crate::revision::revision;
use crate::selection::{ConfiguredCatalogs, configure};
use crate::transform::Rules;
use crate::{EngineError, EngineStream, Registry, Role, Side};

/// Runs pipelines. Cloning it shares the connectors.
#[derive(Clone)]
pub struct Engine {
    registry: Arc<Registry>,
    clock: fn() -> Timestamp,
}

/// A pipeline whose connectors are known and whose configurations fit.
pub(crate) struct Resolved {
    pub(crate) source: Arc<dyn AnySource>,
    pub(crate) destination: Arc<dyn AnyDestination>,
    pub(crate) pipeline: PipelineConfig,
}

impl Engine {
    /// An engine with these connectors and the system's clock.
    pub fn new(registry: Registry) -> Engine {
        Engine { registry: Arc::new(registry), clock: Timestamp::now }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> Timestamp) -> Engine {
        Engine { clock, ..self }
    }

    /// The connectors.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the source offers.
    pub async fn discover(&self, source: &ConnectorConfig) -> Result<CatalogMessage, EngineError> {
        let connector = self.registry.source(&source.connector)?;
        let failed = |error| EngineError::source(&source.connector, error);
        let messages = connector.discover(&source.config).map_err(failed)?;
        let catalog = |payload| match payload {
            Payload::Catalog(catalog) => Some(catalog),
            _ => None,
        };
        protocol::first_of(messages, "catalog", catalog).await.map_err(failed)
    }

    /// The messages of the source's discovery, as it emits them.
    pub fn source_discover(&self, source: &ConnectorConfig) -> Result<EngineStream, EngineError> {
        let connector = self.registry.source(&source.connector)?;
        let messages = connector.discover(&source.config);
        let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
        Ok(from_source(messages, &source.connector))
    }

    /// The states that the destination keeps under `sync_id`; `None` where it keeps none at all.
    pub async fn state_store(
        &self,
        destination: &ConnectorConfig,
        sync_id: &str,
    ) -> Result<Option<Box<dyn StateStore>>, EngineError> {
        let connector = self.registry.destination(&destination.connector)?;
        let failed = |error| EngineError::destination(&destination.connector, error);
        match connector.state_store(&destination.config, sync_id).map_err(failed)? {
            Some(opening) => opening.await.map(Some).map_err(failed),
            None => Ok(None),
        }
    }

    pub(crate) fn clock(&self) -> fn() -> Timestamp {
        self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn stamp(&self, mut message: Message) -> Message {
        message.ts.get_or_insert_with(self.clock);
        message
    }

    /// Finds both connectors and checks the configurations of the sides that take part, before
    /// anything is asked of them.
    pub(crate) fn resolve(&self, pipeline: PipelineConfig, side: Side) -> Result<Resolved, EngineError> {
        let source = self.registry.source(&pipeline.source.connector)?;
        let destination = self.registry.destination(&pipeline.destination.connector)?;
        if side.has(Role::Source) {
            let valid = source.validate(&pipeline.source.config);
            valid.map_err(|error| EngineError::source(&pipeline.source.connector, error))?;
        }
        if side.has(Role::Destination) {
            let valid = destination.validate(&pipeline.destination.config);
            valid.map_err(|error| EngineError::destination(&pipeline.destination.connector, error))?;
        }
        Ok(Resolved { source, destination, pipeline })
    }

    /// The catalogs of a pipeline and the rules for its records; `discovered` saves asking the source again.
    pub(crate) async fn catalogs(
        &self,
        pipeline: &PipelineConfig,
        discovered: Option<&CatalogMessage>,
    ) -> Result<(ConfiguredCatalogs, Rules), EngineError> {
        let selections = pipeline.streams.as_deref().unwrap_or_default();
        let asked;
        let discovered = match discovered {
            Some(discovered) => discovered,
            None => {
                asked = self.discover(&pipeline.source).await?;
                &asked
            }
        };
        let mut catalogs = configure(discovered, selections)?;
        let transforms = pipeline.transforms.as_ref();
        let rules = transforms
            .map_or_else(|| Ok(Rules::default()), |transforms| Rules::new(discovered, transforms))?;
        rules.reshape(&mut catalogs.destination);
        for configured in catalogs.source.streams.iter_mut().chain(&mut catalogs.destination.streams) {
            let name = &configured.stream.name;
            configured.revision = revision(name, configured.fields.as_deref(), transforms)?;
        }
        for (stream, field) in catalogs.unknown_fields() {
            tracing::warn!(
                stream,
                field,
                "the schema does not know a selected field; it will have no column"
            );
        }
        Ok((catalogs, rules))
    }
}

/// The messages of a source; its errors are known as such.
pub(crate) fn from_source(messages: MessageStream, connector: &str) -> EngineStream {
    let connector = connector.to_owned();
    messages.map(move |message| message.map_err(|error| EngineError::source(&connector, error))).boxed()
}

/// The messages of a destination; its errors are known as such.
pub(crate) fn from_destination(messages: MessageStream, connector: &str) -> EngineStream {
    let connector = connector.to_owned();
    messages.map(move |message| message.map_err(|error| EngineError::destination(&connector, error))).boxed()
}
