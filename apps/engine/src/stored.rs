//! Syncs that go on from what the destination keeps.

use futures::StreamExt;
use protocol::SyncState;

use crate::{Engine, EngineStream, PipelineSync};

impl Engine {
    /// [`Engine::pipeline_sync`]; without a state it goes on from the one that the destination keeps under the
    /// request's `sync_id`, if it keeps one.
    pub fn pipeline_sync_stored(&self, request: PipelineSync) -> EngineStream {
        let Some(sync_id) = request.sync_id.clone().filter(|_| request.state.is_none()) else {
            return self.pipeline_sync(request);
        };
        let engine = self.clone();
        Box::pin(async_stream::try_stream! {
            let store = engine.state_store(&request.pipeline.destination, &sync_id).await?;
            let loaded = match store {
                Some(store) => store.load().await.map_err(|error| {
                    crate::EngineError::destination(&request.pipeline.destination.connector, error)
                })?,
                None => None,
            };
            let state = loaded.map(|source| SyncState { source, ..SyncState::empty() });
            let mut messages = engine.pipeline_sync(PipelineSync { state, ..request });
            while let Some(message) = messages.next().await {
                yield message?;
            }
        })
    }
}
