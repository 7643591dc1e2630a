//! Operations on the connectors of a pipeline: check, setup, teardown.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use protocol::{CatalogMessage, LogLevel, Message, MessageStream, PipelineConfig};

use crate::engine::{from_destination, from_source};
use crate::{Engine, EngineError, EngineStream, Role};

/// How long a connector that sets up may be silent. One that says how far it is may take longer: a large table that
/// gains columns takes minutes.
const SETUP_LIMIT: Duration = Duration::from_secs(30);

/// Which connectors of a pipeline an operation is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Both, at once.
    #[default]
    Both,
    /// One of them.
    Only(Role),
}

impl Side {
    pub(crate) fn has(self, role: Role) -> bool {
        self == Side::Both || self == Side::Only(role)
    }
}

/// A request to set up a pipeline.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The pipeline.
    pub pipeline: PipelineConfig,
    /// Which connectors.
    pub side: Side,
    /// What the source offers, where that is known already.
    pub discovered: Option<Arc<CatalogMessage>>,
}

impl Engine {
    /// Asks the connectors whether their configurations work; messages come as they are produced,
    /// and each tells by `_emitted_by` whose it is.
    pub fn pipeline_check(&self, pipeline: PipelineConfig, side: Side) -> Result<EngineStream, EngineError> {
        let resolved = self.resolve(pipeline, side)?;
        let (source, destination) = (&resolved.pipeline.source, &resolved.pipeline.destination);
        let mut sides = Vec::new();
        if side.has(Role::Source) {
            let messages = resolved.source.check(&source.config);
            let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
            sides.push(self.tagged(
                from_source(messages, &source.connector),
                Role::Source,
                &source.connector,
            ));
        }
        if side.has(Role::Destination) {
            let messages = resolved.destination.check(&destination.config);
            let messages =
                messages.map_err(|error| EngineError::destination(&destination.connector, error))?;
            let messages = from_destination(messages, &destination.connector);
            sides.push(self.tagged(messages, Role::Destination, &destination.connector));
        }
        Ok(stream::select_all(sides).boxed())
    }

    /// Asks the source which of the pipeline's streams it can read, without reading them. `None` where the
    /// source cannot tell.
    pub async fn pipeline_preflight(
        &self,
        pipeline: PipelineConfig,
        discovered: Option<&CatalogMessage>,
    ) -> Result<Option<EngineStream>, EngineError> {
        let resolved = self.resolve(pipeline, Side::Only(Role::Source))?;
        let (catalogs, _) = self.catalogs(&resolved.pipeline, discovered).await?;
        let source = &resolved.pipeline.source;
        let messages = resolved.source.preflight(&source.config, catalogs.source);
        let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
        let tagged =
            |messages| self.tagged(from_source(messages, &source.connector), Role::Source, &source.connector);
        Ok(messages.map(tagged))
    }

    /// Prepares what the pipeline needs on both sides; a side with nothing to prepare is silent.
    pub fn pipeline_setup(&self, request: Setup) -> EngineStream {
        let engine = self.clone();
        Box::pin(async_stream::try_stream! {
            let resolved = engine.resolve(request.pipeline, Side::Both)?;
            let (source, destination) = (&resolved.pipeline.source, &resolved.pipeline.destination);
            tracing::info!(
                source_type = source.connector,
                destination_type = destination.connector,
                run_source = request.side.has(Role::Source),
                run_destination = request.side.has(Role::Destination),
                "Starting pipeline setup"
            );
            let (catalogs, _) = engine.catalogs(&resolved.pipeline, request.discovered.as_deref()).await?;
            let mut sides = Vec::new();
            if request.side.has(Role::Source) {
                let messages = resolved.source.setup(&source.config, catalogs.source);
                let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
                if let Some(messages) = messages {
                    let messages = limited(from_source(messages, &source.connector), "source", &source.connector);
                    sides.push(engine.tagged(messages, Role::Source, &source.connector));
                }
            }
            if request.side.has(Role::Destination) {
                let messages = resolved.destination.setup(&destination.config, catalogs.destination);
                let messages =
                    messages.map_err(|error| EngineError::destination(&destination.connector, error))?;
                if let Some(messages) = messages {
                    let messages = from_destination(messages, &destination.connector);
                    let messages = limited(messages, "destination", &destination.connector);
                    sides.push(engine.tagged(messages, Role::Destination, &destination.connector));
                }
            }
            let mut messages = stream::select_all(sides);
            while let Some(message) = messages.next().await {
                yield message?;
            }
        })
    }

    /// Removes what setup made, on both sides.
    pub fn pipeline_teardown(
        &self,
        pipeline: PipelineConfig,
        side: Side,
    ) -> Result<EngineStream, EngineError> {
        let resolved = self.resolve(pipeline, side)?;
        let (source, destination) = (&resolved.pipeline.source, &resolved.pipeline.destination);
        let none = |messages: Option<MessageStream>| messages.unwrap_or_else(protocol::empty_stream);
        let mut sides = Vec::new();
        if side.has(Role::Source) {
            let messages = resolved.source.teardown(&source.config).map(none);
            let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
            sides.push(self.tagged(
                from_source(messages, &source.connector),
                Role::Source,
                &source.connector,
            ));
        }
        if side.has(Role::Destination) {
            let messages = resolved.destination.teardown(&destination.config).map(none);
            let messages =
                messages.map_err(|error| EngineError::destination(&destination.connector, error))?;
            let messages = from_destination(messages, &destination.connector);
            sides.push(self.tagged(messages, Role::Destination, &destination.connector));
        }
        Ok(stream::select_all(sides).boxed())
    }

    fn tagged(&self, messages: EngineStream, role: Role, connector: &str) -> EngineStream {
        let engine = self.clone();
        let tag: Arc<str> = format!("{role}/{connector}").into();
        messages
            .map(move |message| {
                message.map(|message| Message { emitted_by: Some(Arc::clone(&tag)), ..engine.stamp(message) })
            })
            .boxed()
    }
}

/// Ends a setup that is silent for too long: with a log line and then an error, for a setup that did not
/// finish is no success.
fn limited(mut messages: EngineStream, role: &str, connector: &str) -> EngineStream {
    let connector = format!("{role}/{connector}");
    Box::pin(async_stream::stream! {
        loop {
            match tokio::time::timeout(SETUP_LIMIT, messages.next()).await {
                Ok(Some(message)) => yield message,
                Ok(None) => break,
                Err(_) => {
                    let seconds = SETUP_LIMIT.as_secs();
                    yield Ok(Message::log(LogLevel::Error, format!("{connector} setup timed out after {seconds}s")));
                    yield Err(EngineError::SetupTimedOut { connector, seconds });
                    break;
                }
            }
        }
    })
}
