//! Who does the work of a sync: the engine in this process, or one elsewhere. Both are asked for the same.

use std::sync::Arc;

use async_stream::try_stream;
use engine::{Engine, EngineError, EngineStream, PipelineSync, Setup};
use futures::StreamExt;
use protocol::{CatalogMessage, ConnectionState, ConnectorConfig, LogLevel, Message, Payload, SyncState};
use source_stripe::RequestMeter;

use super::connectors::requests;
use super::display::Requests;
use super::elsewhere::Elsewhere;
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
        let mut messages = there.told(there.engine.source_discover(source), Failed::AtAnyTime);
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
            Worker::There(there) => there.told(there.engine.pipeline_setup(&request), Failed::AtAnyTime),
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
            Worker::There(there) => there.told(there.engine.pipeline_sync(request), Failed::AfterEof),
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

/// When a failed connection is the end of an answer. Before the `eof` of a sync it is part of what the sync tells.
#[derive(Clone, Copy, PartialEq)]
enum Failed {
    AtAnyTime,
    AfterEof,
}

impl Elsewhere {
    /// The messages, with failures as errors again: over HTTP they are messages.
    fn told(&self, mut messages: EngineStream, failed: Failed) -> EngineStream {
        let url = self.url.clone();
        Box::pin(try_stream! {
            let mut decisive = failed == Failed::AtAnyTime;
            // The same words come as a log before.
            let mut held: Option<Message> = None;
            while let Some(message) = messages.next().await {
                let message = message?;
                if decisive && let Some(reason) = failure(&message) {
                    Err(EngineError::Remote(format!("the engine at {url}: {reason}")))?;
                }
                if let Some(held) = held.take() {
                    yield held;
                }
                decisive |= matches!(message.payload, Payload::Eof(_));
                match &message.payload {
                    Payload::Log(log) if decisive && log.level == LogLevel::Error => held = Some(message),
                    _ => yield message,
                }
            }
            if let Some(held) = held {
                yield held;
            }
        })
    }
}

/// Why a connection failed, if that is what the message tells.
fn failure(message: &Message) -> Option<&str> {
    let Payload::ConnectionStatus(status) = &message.payload else { return None };
    let failed = status.status == ConnectionState::Failed;
    failed.then(|| status.message.as_deref().unwrap_or("the connection failed"))
}
