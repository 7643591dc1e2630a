//! Reading a source without a destination.

use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    CatalogMessage, Eof, InputStream, Message, Payload, PipelineConfig, ReadRequest, SyncState, TRACE,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::{Cut, at, hard_limit_reached, stopped_on_request, until_stopped};
use crate::run::with_ceiling;
use crate::traced::traced;
use crate::{Engine, EngineError, EngineStream, Role, Side, TimeLimits};

/// A request to read the source of a pipeline.
pub struct PipelineRead {
    /// The pipeline; its destination is not used.
    pub pipeline: PipelineConfig,
    /// Where to go on from.
    pub state: Option<SyncState>,
    /// How long the request may take; without a soft limit the source gets 80% of the hard one.
    pub limits: TimeLimits,
    /// With input, the source processes it and ends, without a backfill.
    pub input: Option<InputStream>,
    /// Ends the reading early.
    pub stop: CancellationToken,
    /// What the source offers, where that is known already.
    pub discovered: Option<Arc<CatalogMessage>>,
}

impl PipelineRead {
    /// Reads everything, without limits.
    pub fn new(pipeline: PipelineConfig) -> PipelineRead {
        PipelineRead {
            pipeline,
            state: None,
            limits: TimeLimits::default(),
            input: None,
            stop: CancellationToken::new(),
            discovered: None,
        }
    }
}

impl Engine {
    /// The source's messages with the pipeline's transforms applied, then an `eof` that only says whether they were cut. After a failure the
    /// `eof` comes first, then the error.
    pub fn pipeline_read(&self, request: PipelineRead) -> EngineStream {
        let engine = self.clone();
        let span = tracing::info_span!(
            target: TRACE,
            "pipeline_read",
            source = %request.pipeline.source.connector,
            has_more = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        traced(
            span,
            Box::pin(async_stream::stream! {
                let limits = request.limits;
                let started = Instant::now();
                let cut = Cut::default();
                let hard = limits.hard.map(|limit| started + limit);
                let soft = limits.with_soft_fraction(None).soft.map(|limit| started + limit);
                let stop = request.stop.clone();
                let opening = async {
                    limits.validate()?;
                    engine.open_read(request, soft, cut.clone()).await
                };
                let opened = tokio::select! {
                    biased;
                    opened = opening => opened,
                    () = at(hard) => {
                        hard_limit_reached();
                        cut.mark();
                        Ok(futures::stream::empty().boxed())
                    }
                    () = stop.cancelled() => {
                        stopped_on_request();
                        cut.mark();
                        Ok(futures::stream::empty().boxed())
                    }
                };
                let mut failure = None;
                match opened {
                    Err(error) => failure = Some(error),
                    Ok(mut messages) => loop {
                        let message = tokio::select! {
                            biased;
                            () = at(hard) => {
                                hard_limit_reached();
                                cut.mark();
                                break;
                            }
                            message = messages.next() => message,
                        };
                        match message {
                            Some(Ok(message)) => yield Ok(engine.stamp(message)),
                            Some(Err(error)) => {
                                failure = Some(error);
                                break;
                            }
                            None => break,
                        }
                    },
                }
                let has_more = failure.is_none() && cut.happened();
                yield Ok(engine.stamp(Payload::Eof(Eof::Read { has_more }).into()));
                if let Some(error) = failure {
                    yield Err(error);
                }
            }),
        )
    }

    async fn open_read(
        &self,
        request: PipelineRead,
        soft: Option<Instant>,
        cut: Cut,
    ) -> Result<EngineStream, EngineError> {
        let resolved = self.resolve(request.pipeline, Side::Only(Role::Source))?;
        let (catalogs, rules) = self.catalogs(&resolved.pipeline, request.discovered.as_deref()).await?;
        let ceiling = request.state.as_ref().and_then(|state| state.sync_run.time_ceiling);
        let source = &resolved.pipeline.source;
        let read = ReadRequest {
            catalog: with_ceiling(catalogs.source, ceiling),
            state: request.state.map(|state| state.source),
            input: request.input,
            durable: None,
        };
        let messages = resolved.source.read(&source.config, read);
        let messages = messages.map_err(|error| EngineError::source(&source.connector, error))?;
        let messages = until_stopped(messages, soft, request.stop, cut);
        let messages = messages.map(move |message| message.and_then(|message| rules.apply(message)));
        Ok(crate::engine::from_source(messages.boxed(), &source.connector))
    }
}

/// A message that the engine itself emits.
pub(crate) fn from_engine(payload: Payload) -> Message {
    Message { emitted_by: Some(Arc::from("engine")), ..payload.into() }
}
