//! Who does the work: the engine in this process, or one elsewhere.

use std::sync::Arc;

use engine::remote::{Failed, RemoteEngine};
use engine::{
    Engine, EngineError, EngineStream, PipelineSync, Reconcile, ReconcileReport, Role, Setup, Side,
};
use futures::StreamExt;
use protocol::{CatalogMessage, ConnectorConfig, Payload, PipelineConfig, SourceState};

/// What a destination keeps of a sync's position.
pub enum Kept {
    /// It keeps none, or cannot be asked.
    Nowhere,
    /// It would, but has none of this name.
    Nothing,
    /// This one, which was committed with the rows that it stands for.
    Position(Box<SourceState>),
}

/// An engine. Cloning shares it.
#[derive(Clone)]
pub enum Engines {
    /// In this process.
    Here(Engine),
    /// At another address.
    There(RemoteEngine),
}

impl Engines {
    /// What the source offers.
    pub async fn discover(&self, source: &ConnectorConfig) -> Result<Arc<CatalogMessage>, EngineError> {
        let there = match self {
            Engines::Here(engine) => return engine.discover(source).await.map(Arc::new),
            Engines::There(there) => there,
        };
        let mut messages = there.failing(there.source_discover(source), Failed::AtAnyTime);
        let mut catalog = None;
        while let Some(message) = messages.next().await {
            if let Payload::Catalog(found) = message?.payload {
                catalog = Some(found);
            }
        }
        let silent = || EngineError::Remote("the engine did not say what the source offers".to_owned());
        catalog.map(Arc::new).ok_or_else(silent)
    }

    /// Asks whether the configurations work.
    pub fn check(&self, pipeline: PipelineConfig, side: Side) -> Result<EngineStream, EngineError> {
        match self {
            Engines::Here(engine) => engine.pipeline_check(pipeline, side),
            Engines::There(there) => Ok(there.pipeline_check(&pipeline, side)),
        }
    }

    /// Sets both sides up.
    pub fn set_up(&self, request: Setup) -> EngineStream {
        match self {
            Engines::Here(engine) => engine.pipeline_setup(request),
            Engines::There(there) => there.failing(there.pipeline_setup(&request), Failed::AtAnyTime),
        }
    }

    /// Removes what setup made.
    pub fn tear_down(&self, pipeline: PipelineConfig, side: Side) -> Result<EngineStream, EngineError> {
        match self {
            Engines::Here(engine) => engine.pipeline_teardown(pipeline, side),
            Engines::There(there) => {
                Ok(there.failing(there.pipeline_teardown(&pipeline, side), Failed::AtAnyTime))
            }
        }
    }

    /// Syncs.
    pub fn sync(&self, request: PipelineSync) -> EngineStream {
        match self {
            Engines::Here(engine) => engine.pipeline_sync(request),
            Engines::There(there) => there.failing(there.pipeline_sync(request), Failed::AfterEof),
        }
    }

    /// The position that the destination keeps under this name, beside the rows it stands for.
    pub async fn kept_position(
        &self,
        destination: &ConnectorConfig,
        sync_id: &str,
    ) -> Result<Kept, EngineError> {
        // One elsewhere looks itself, where it is given no position.
        let Engines::Here(engine) = self else { return Ok(Kept::Nowhere) };
        let Some(store) = engine.state_store(destination, sync_id).await? else { return Ok(Kept::Nowhere) };
        let loaded = store.load().await.map_err(|source| EngineError::Connector {
            role: Role::Destination,
            connector: destination.connector.clone(),
            source,
        })?;
        Ok(loaded.map_or(Kept::Nothing, |position| Kept::Position(Box::new(position))))
    }

    /// Compares the copy with its source; `None` where the engine is elsewhere, and too old for that.
    pub async fn reconcile(&self, request: Reconcile) -> Result<Option<ReconcileReport>, EngineError> {
        let there = match self {
            Engines::Here(engine) => return engine.reconcile(request, |_| {}).await.map(Some),
            Engines::There(there) => there,
        };
        match there.reconcile(request, |_| {}).await {
            Err(EngineError::Outdated(_)) => Ok(None),
            compared => compared.map(Some),
        }
    }
}
