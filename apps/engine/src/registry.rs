//! The connectors that an engine knows, by role and type.

use std::sync::Arc;

use protocol::{AnyDestination, AnySource, Destination, Source};

use crate::{EngineError, Role};

/// Connectors in the order in which they were registered.
#[derive(Default)]
pub struct Registry {
    sources: Vec<Arc<dyn AnySource>>,
    destinations: Vec<Arc<dyn AnyDestination>>,
}

impl Registry {
    /// No connectors.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// The same with one more source; it replaces one of the same type.
    #[must_use]
    pub fn with_source(mut self, source: impl Source) -> Registry {
        self.sources.retain(|known| known.name() != Source::name(&source));
        self.sources.push(Arc::new(source));
        self
    }

    /// The same with one more destination; it replaces one of the same type.
    #[must_use]
    pub fn with_destination(mut self, destination: impl Destination) -> Registry {
        self.destinations.retain(|known| known.name() != Destination::name(&destination));
        self.destinations.push(Arc::new(destination));
        self
    }

    /// The registered sources.
    pub fn sources(&self) -> &[Arc<dyn AnySource>] {
        &self.sources
    }

    /// The registered destinations.
    pub fn destinations(&self) -> &[Arc<dyn AnyDestination>] {
        &self.destinations
    }

    /// The source of this type.
    pub fn source(&self, name: &str) -> Result<Arc<dyn AnySource>, EngineError> {
        self.sources.iter().find(|source| source.name() == name).cloned().ok_or_else(|| {
            EngineError::UnknownConnector {
                role: Role::Source,
                name: name.to_owned(),
                known: self.sources.iter().map(|source| source.name().to_owned()).collect(),
            }
        })
    }

    /// The destination of this type.
    pub fn destination(&self, name: &str) -> Result<Arc<dyn AnyDestination>, EngineError> {
        self.destinations.iter().find(|destination| destination.name() == name).cloned().ok_or_else(|| {
            EngineError::UnknownConnector {
                role: Role::Destination,
                name: name.to_owned(),
                known: self.destinations.iter().map(|destination| destination.name().to_owned()).collect(),
            }
        })
    }
}
