//! Who does the work of a sync or a comparison: the engine in this process, or one elsewhere. Both are asked for the same.

use std::sync::Arc;

use engine::program::{Elsewhere, requests};
use engine::remote::Failed;
use engine::{
    Engine, EngineError, EngineStream, PipelineSync, Reconcile, ReconcileReport, Setup, StreamReport,
};
use futures::StreamExt;
use protocol::{CatalogMessage, ConnectorConfig, Payload, SyncState};
use source_stripe::RequestMeter;

use super::display::Requests;
use super::failure::Failure;

/// An engine.
pub(crate) enum Worker {
    /// In this process, with the counter of its requests.
    Here { engine: Engine, meter: Arc<RequestMeter> },
    /// On another address. Where a sync goes on from is its destination's to know.
    There(Elsewhere),
}

impl Worker {
    /// The engine elsewhere, if it is one.
    pub(crate) fn elsewhere(&self) -> Option<&Elsewhere> {
        match self {
            Worker::Here { .. } => None,
            Worker::There(elsewhere) => Some(elsewhere),
        }
    }

    /// What the source offers.
    pub(crate) async fn discover(&self, source: &ConnectorConfig) -> Result<CatalogMessage, Failure> {
        let there = match self {
            Worker::Here { engine, .. } => return Ok(engine.discover(source).await?),
            Worker::There(there) => there,
        };
        let mut messages = there.engine.failing(there.engine.source_discover(source), Failed::AtAnyTime);
        let mut catalog = None;
        while let Some(message) = messages.next().await {
            match message?.payload {
                Payload::Catalog(found) => catalog = Some(found),
                Payload::Log(log) => logger::relog(&log),
                _ => {}
            }
        }
        catalog.ok_or_else(|| {
            Failure::failed(format!("the engine at {} did not say what the source offers", there.url))
        })
    }

    /// Sets both sides up.
    pub(crate) fn set_up(&self, request: Setup) -> EngineStream {
        match self {
            Worker::Here { engine, .. } => engine.pipeline_setup(request),
            Worker::There(there) => {
                there.engine.failing(there.engine.pipeline_setup(&request), Failed::AtAnyTime)
            }
        }
    }

    /// Where the sync of this name goes on from, as far as it has to be said.
    pub(crate) async fn stored_state(
        &self,
        destination: &ConnectorConfig,
        sync_id: &str,
    ) -> Result<Option<SyncState>, Failure> {
        let Worker::Here { engine, .. } = self else { return Ok(None) };
        let Some(store) = engine.state_store(destination, sync_id).await? else { return Ok(None) };
        let failed = |error: protocol::ConnectorError| {
            Failure::failed(format!("the stored position cannot be read: {error}"))
        };
        let loaded = store.load().await.map_err(failed)?;
        Ok(loaded.map(|source| SyncState { source, ..SyncState::empty() }))
    }

    /// Syncs.
    pub(crate) fn sync(&self, request: PipelineSync) -> EngineStream {
        match self {
            Worker::Here { engine, .. } => engine.pipeline_sync(request),
            Worker::There(there) => {
                there.engine.failing(there.engine.pipeline_sync(request), Failed::AfterEof)
            }
        }
    }

    /// Compares; `told` hears of each stream that is done.
    pub(crate) async fn reconcile(
        &self,
        request: Reconcile,
        told: impl FnMut(&StreamReport),
    ) -> Result<ReconcileReport, EngineError> {
        match self {
            Worker::Here { engine, .. } => engine.reconcile(request, told).await,
            Worker::There(there) => there.engine.reconcile(request, told).await,
        }
    }

    /// What is known of the requests to the source; an engine elsewhere does not tell of them.
    pub(crate) fn requests(&self) -> Option<Requests> {
        match self {
            Worker::Here { meter, .. } => Some(requests(meter)),
            Worker::There(_) => None,
        }
    }
}
