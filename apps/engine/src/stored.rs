//! Syncs that go on from what the destination keeps.

use protocol::SyncState;

use crate::sync::Position;
use crate::{Engine, EngineError, EngineStream, PipelineSync};

impl Engine {
    /// [`Engine::pipeline_sync`]; without a state it goes on from the one that the destination keeps under the
    /// request's `sync_id`, if it keeps one. Where that could not be read, the `eof` has no `ending_state`.
    pub fn pipeline_sync_stored(&self, request: PipelineSync) -> EngineStream {
        let stored = request.sync_id.is_some() && request.state.is_none();
        self.syncing(request, if stored { Position::Stored } else { Position::Given })
    }

    /// The request with the state that the destination keeps under its `sync_id`.
    pub(crate) async fn at_stored_position(
        &self,
        request: PipelineSync,
    ) -> Result<PipelineSync, EngineError> {
        let destination = &request.pipeline.destination;
        let Some(sync_id) = &request.sync_id else { return Ok(request) };
        let Some(store) = self.state_store(destination, sync_id).await? else { return Ok(request) };
        let loaded = store.load().await;
        let loaded = loaded.map_err(|error| EngineError::destination(&destination.connector, error))?;
        let state = loaded.map(|source| SyncState { source, ..SyncState::empty() });
        Ok(PipelineSync { state, ..request })
    }
}
