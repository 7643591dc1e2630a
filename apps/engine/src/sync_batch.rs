//! Syncing up to a number of states, for callers that want one answer.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use protocol::{CatalogMessage, EofPayload, MessageStream, Payload, PipelineConfig, SyncState};

use crate::limits::Cut;
use crate::{Engine, EngineError, PipelineSync};

/// How many states a batch takes unless told otherwise.
const DEFAULT_STATE_LIMIT: u64 = 1000;

/// A request to sync a pipeline until the source has said where it stands so many times.
pub struct PipelineSyncBatch {
    /// The pipeline.
    pub pipeline: PipelineConfig,
    /// Where to go on from.
    pub state: Option<SyncState>,
    /// Requests with the same id are one run.
    pub run_id: Option<String>,
    /// Most `source_state` messages; more than 0.
    pub state_limit: u64,
    /// What the source offers, where that is known already.
    pub discovered: Option<Arc<CatalogMessage>>,
}

impl PipelineSyncBatch {
    /// Up to 1000 states, without a run.
    pub fn new(pipeline: PipelineConfig) -> PipelineSyncBatch {
        PipelineSyncBatch {
            pipeline,
            state: None,
            run_id: None,
            state_limit: DEFAULT_STATE_LIMIT,
            discovered: None,
        }
    }
}

impl Engine {
    /// Syncs until the source ends or `state_limit` is reached, and answers how it ended. What came
    /// with the counted states is durable then.
    pub async fn pipeline_sync_batch(&self, request: PipelineSyncBatch) -> Result<EofPayload, EngineError> {
        if request.state_limit == 0 {
            return Err(EngineError::Request("`state_limit` must be more than 0".to_owned()));
        }
        let cut = Cut::default();
        let limit = request.state_limit;
        let reached = cut.clone();
        let sync = PipelineSync {
            state: request.state,
            run_id: request.run_id,
            discovered: request.discovered,
            ..PipelineSync::new(request.pipeline)
        };
        let mut opened =
            self.connect(sync, |messages| through_states(messages, limit, reached), true).await?;
        while let Some(message) = opened.output.next().await {
            let message = self.stamp(message?);
            opened.ledger.observe(&message, message.ts.unwrap_or_else(|| self.now()));
        }
        if !cut.happened() {
            opened.ledger.finish_silent(&opened.streams);
        }
        Ok(opened.ledger.eof(cut.happened(), false))
    }
}

/// `messages` up to the `limit`th state, and what the source says right after it about its streams:
/// so a stream that ends with its last state is known to be complete, and no page is fetched for that.
fn through_states(mut messages: MessageStream, limit: u64, cut: Cut) -> MessageStream {
    Box::pin(async_stream::stream! {
        let mut states = 0;
        while let Some(message) = messages.next().await {
            states += u64::from(matches!(&message, Ok(message) if matches!(message.payload, Payload::SourceState(_))));
            yield message;
            if states == limit {
                cut.mark();
                break;
            }
        }
        if cut.happened() {
            while let Some(Some(Ok(message))) = messages.next().now_or_never() {
                if !matches!(message.payload, Payload::StreamStatus(_)) {
                    break;
                }
                yield Ok(message);
            }
        }
        drop(messages);
    })
}
