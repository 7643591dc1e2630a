//! The connectors that an engine knows, by role and type.

use std::sync::Arc;

use protocol::{AnyDestination, AnySource, Destination, Source};

use crate::process::Programs;
use crate::{EngineError, Role};

/// Connectors in the order in which they were registered.
#[derive(Default)]
pub struct Registry {
    sources: Vec<Arc<dyn AnySource>>,
    destinations: Vec<Arc<dyn AnyDestination>>,
    programs: Option<Arc<Programs>>,
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

    /// The same, looking for connectors that are not registered among programs.
    #[must_use]
    pub fn with_programs(self, programs: Programs) -> Registry {
        Registry { programs: Some(Arc::new(programs)), ..self }
    }

    /// The registered sources.
    pub fn sources(&self) -> &[Arc<dyn AnySource>] {
        &self.sources
    }

    /// The registered destinations.
    pub fn destinations(&self) -> &[Arc<dyn AnyDestination>] {
        &self.destinations
    }

    /// The source of this type: a registered one, or a program that is looked for.
    pub fn source(&self, name: &str) -> Result<Arc<dyn AnySource>, EngineError> {
        if let Some(known) = self.sources.iter().find(|source| source.name() == name) {
            return Ok(Arc::clone(known));
        }
        match self.programs.as_ref().and_then(|programs| programs.source(name)) {
            Some(found) => found.map_err(|error| EngineError::source(name, error)),
            None => Err(self.unknown(Role::Source, name, self.sources.iter().map(|source| source.name()))),
        }
    }

    /// The destination of this type: a registered one, or a program that is looked for.
    pub fn destination(&self, name: &str) -> Result<Arc<dyn AnyDestination>, EngineError> {
        if let Some(known) = self.destinations.iter().find(|destination| destination.name() == name) {
            return Ok(Arc::clone(known));
        }
        match self.programs.as_ref().and_then(|programs| programs.destination(name)) {
            Some(found) => found.map_err(|error| EngineError::destination(name, error)),
            None => {
                let known = self.destinations.iter().map(|destination| destination.name());
                Err(self.unknown(Role::Destination, name, known))
            }
        }
    }

    fn unknown<'n>(&self, role: Role, name: &str, known: impl Iterator<Item = &'n str>) -> EngineError {
        EngineError::UnknownConnector {
            role,
            name: name.to_owned(),
            known: known.map(str::to_owned).collect(),
            programs: self.programs.is_some(),
        }
    }
}
