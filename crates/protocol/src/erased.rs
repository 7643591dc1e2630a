//! Connectors behind one type, for registries: configurations come as JSON.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    ConfiguredCatalog, ConnectorError, ConnectorSpec, Destination, InspectRequest, LookUpRequest,
    MessageStream, ReadRequest, RequestCount, RowStream, Source, StateStore, WriteRequest,
};

/// A [`Source`] of any kind. Each operation fails at once where the configuration does not fit.
pub trait AnySource: Send + Sync {
    /// The connector's type.
    fn name(&self) -> &str;
    /// See [`Source::spec`].
    fn spec(&self) -> ConnectorSpec;
    /// Says what is wrong with a configuration, if anything is.
    fn validate(&self, config: &Map<String, Value>) -> Result<(), ConnectorError>;
    /// See [`Source::check`].
    fn check(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError>;
    /// See [`Source::discover`].
    fn discover(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError>;
    /// See [`Source::read`].
    fn read(
        &self,
        config: &Map<String, Value>,
        request: ReadRequest,
    ) -> Result<MessageStream, ConnectorError>;
    /// See [`Source::look_up`].
    fn look_up(
        &self,
        config: &Map<String, Value>,
        request: LookUpRequest,
    ) -> Result<Option<MessageStream>, ConnectorError>;
    /// See [`Source::counted`].
    fn counted(&self) -> Option<(Arc<dyn AnySource>, RequestCount)> {
        None
    }
    /// See [`Source::preflight`].
    fn preflight(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError>;
    /// See [`Source::setup`].
    fn setup(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError>;
    /// See [`Source::teardown`].
    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError>;
}

/// A [`Destination`] of any kind. Each operation fails at once where the configuration does not fit.
pub trait AnyDestination: Send + Sync {
    /// The connector's type.
    fn name(&self) -> &str;
    /// See [`Destination::spec`].
    fn spec(&self) -> ConnectorSpec;
    /// Says what is wrong with a configuration, if anything is.
    fn validate(&self, config: &Map<String, Value>) -> Result<(), ConnectorError>;
    /// See [`Destination::check`].
    fn check(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError>;
    /// See [`Destination::write`].
    fn write(
        &self,
        config: &Map<String, Value>,
        request: WriteRequest,
    ) -> Result<MessageStream, ConnectorError>;
    /// See [`Destination::setup`].
    fn setup(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError>;
    /// See [`Destination::teardown`].
    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError>;
    /// See [`Destination::inspect`].
    fn inspect(
        &self,
        config: &Map<String, Value>,
        request: InspectRequest,
    ) -> Result<Option<RowStream>, ConnectorError>;
    /// See [`Destination::state_store`].
    #[expect(clippy::type_complexity, reason = "an optional capability that is opened asynchronously")]
    fn state_store(
        &self,
        config: &Map<String, Value>,
        sync_id: &str,
    ) -> Result<Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>>, ConnectorError>;
}

fn typed<C: DeserializeOwned>(
    role: &str,
    name: &str,
    config: &Map<String, Value>,
) -> Result<C, ConnectorError> {
    serde_path_to_error::deserialize(Value::Object(config.clone())).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        let is_told = path == "." || problem.contains(&format!("`{path}`"));
        let field = if is_told { String::new() } else { format!("`{path}`: ") };
        ConnectorError::config(format!("the configuration of {role} `{name}` is wrong: {field}{problem}"))
    })
}

impl<S: Source> AnySource for S {
    fn name(&self) -> &str {
        Source::name(self)
    }

    fn spec(&self) -> ConnectorSpec {
        Source::spec(self)
    }

    fn validate(&self, config: &Map<String, Value>) -> Result<(), ConnectorError> {
        typed::<S::Config>("source", Source::name(self), config).map(drop)
    }

    fn check(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        Ok(Source::check(self, typed("source", Source::name(self), config)?))
    }

    fn discover(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        Ok(Source::discover(self, typed("source", Source::name(self), config)?))
    }

    fn read(
        &self,
        config: &Map<String, Value>,
        request: ReadRequest,
    ) -> Result<MessageStream, ConnectorError> {
        Ok(Source::read(self, typed("source", Source::name(self), config)?, request))
    }

    fn look_up(
        &self,
        config: &Map<String, Value>,
        request: LookUpRequest,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Source::look_up(self, typed("source", Source::name(self), config)?, request))
    }

    fn counted(&self) -> Option<(Arc<dyn AnySource>, RequestCount)> {
        let (source, count) = Source::counted(self)?;
        Some((Arc::new(source), count))
    }

    fn preflight(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Source::preflight(self, typed("source", Source::name(self), config)?, catalog))
    }

    fn setup(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Source::setup(self, typed("source", Source::name(self), config)?, catalog))
    }

    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Source::teardown(self, typed("source", Source::name(self), config)?))
    }
}

impl<D: Destination> AnyDestination for D {
    fn name(&self) -> &str {
        Destination::name(self)
    }

    fn spec(&self) -> ConnectorSpec {
        Destination::spec(self)
    }

    fn validate(&self, config: &Map<String, Value>) -> Result<(), ConnectorError> {
        typed::<D::Config>("destination", Destination::name(self), config).map(drop)
    }

    fn check(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        Ok(Destination::check(self, typed("destination", Destination::name(self), config)?))
    }

    fn write(
        &self,
        config: &Map<String, Value>,
        request: WriteRequest,
    ) -> Result<MessageStream, ConnectorError> {
        Ok(Destination::write(self, typed("destination", Destination::name(self), config)?, request))
    }

    fn setup(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Destination::setup(self, typed("destination", Destination::name(self), config)?, catalog))
    }

    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(Destination::teardown(self, typed("destination", Destination::name(self), config)?))
    }

    fn inspect(
        &self,
        config: &Map<String, Value>,
        request: InspectRequest,
    ) -> Result<Option<RowStream>, ConnectorError> {
        let config = typed("destination", Destination::name(self), config)?;
        Ok(Destination::inspect(self, config, request))
    }

    fn state_store(
        &self,
        config: &Map<String, Value>,
        sync_id: &str,
    ) -> Result<Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>>, ConnectorError> {
        let config = typed("destination", Destination::name(self), config)?;
        Ok(Destination::state_store(self, config, sync_id))
    }
}
