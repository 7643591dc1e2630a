//! Writing given messages into a destination.

use futures::{Stream, StreamExt};
use protocol::{ConnectorError, Message, Payload, PipelineConfig, WriteRequest};

use crate::delivery::Delivery;
use crate::engine::from_destination;
use crate::{Engine, EngineError, EngineStream, Side};

impl Engine {
    /// Writes the records and states among `messages`; other messages do not reach the destination. Records are taken
    /// as [`Engine::pipeline_read`] gives them: the pipeline's transforms were applied.
    /// Answers what the destination hands back, without an `eof`.
    pub fn pipeline_write(
        &self,
        pipeline: PipelineConfig,
        messages: impl Stream<Item = Result<Message, ConnectorError>> + Send + 'static,
    ) -> EngineStream {
        let engine = self.clone();
        Box::pin(async_stream::try_stream! {
            let resolved = engine.resolve(pipeline, Side::Both)?;
            let catalog = engine.catalogs(&resolved.pipeline, None).await?.0.destination;
            let destination = &resolved.pipeline.destination;
            let mut delivery = Delivery::new(&catalog);
            let input = messages.filter_map(move |message| {
                let admitted = match message {
                    Ok(message) => match message.payload {
                        Payload::Record(_) | Payload::SourceState(_) => delivery.admit(message).transpose(),
                        _ => None,
                    },
                    Err(error) => Some(Err(error)),
                };
                std::future::ready(admitted)
            });
            let request = WriteRequest { catalog, input: input.boxed(), sync_id: None };
            let output = resolved.destination.write(&destination.config, request);
            let output = output.map_err(|error| EngineError::destination(&destination.connector, error))?;
            let mut output = from_destination(output, &destination.connector);
            while let Some(message) = output.next().await {
                yield engine.stamp(message?);
            }
        })
    }
}
