//! The operations on pipelines.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::StreamExt;
use http_api::{ApiError, Identified, ndjson};
use logger::{RequestLog, SERVER_ONLY};
use protocol::{ErrorKind, PipelineConfig};
use tracing::Instrument;

use super::answer::Answer;
use super::body::Body;
use super::input::{messages, pushed, pushed_lines};
use super::{Server, Shared};
use crate::{
    EngineError, EngineStream, PipelineRead, PipelineSync, PipelineSyncBatch, Reconcile, Setup, Side,
};

type Answered = Result<Response, ApiError>;

/// Why a parsed body has everything: whatever is missing was noted, and `finish` failed.
fn parsed<T>(value: Option<T>) -> Result<T, ApiError> {
    value.ok_or(ApiError::Internal)
}

impl Server {
    fn answer(
        &self,
        operation: &'static str,
        log: Arc<RequestLog>,
        messages: Result<EngineStream, EngineError>,
    ) -> Response {
        let watched =
            matches!(operation, "pipeline_read" | "pipeline_write" | "pipeline_sync" | "pipeline_reconcile");
        let heard = self.gauges.heard(operation);
        let answer = Answer::new(messages, log, watched).counted(heard);
        let beats = operation == "pipeline_sync";
        ndjson(if beats { answer.beating(operation) } else { answer }, self.options.keep_alive)
    }

    /// Reads the body of an operation on the connectors of a pipeline.
    async fn connection(&self, request: Request) -> Result<(PipelineConfig, Side), ApiError> {
        let mut body = Body::new(&self.engine, http_api::read_whole(request).await?);
        let (pipeline, side) = (body.pipeline(), body.side());
        body.finish()?;
        Ok((parsed(pipeline)?, side))
    }
}

/// `POST /pipeline_check`.
pub(super) async fn check(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let (pipeline, side) = server.connection(request).await?;
    Ok(server.answer("pipeline_check", log, server.engine.pipeline_check(pipeline, side)))
}

/// `POST /pipeline_setup`.
pub(super) async fn setup(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let (pipeline, side) = server.connection(request).await?;
    let messages = server.engine.pipeline_setup(Setup { pipeline, side, discovered: None });
    Ok(server.answer("pipeline_setup", log, Ok(messages)))
}

/// `POST /pipeline_teardown`.
pub(super) async fn teardown(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let (pipeline, side) = server.connection(request).await?;
    Ok(server.answer("pipeline_teardown", log, server.engine.pipeline_teardown(pipeline, side)))
}

/// `POST /source_discover`.
pub(super) async fn discover(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let mut body = Body::new(&server.engine, http_api::read_whole(request).await?);
    let source = body.source();
    body.finish()?;
    let messages = server.engine.source_discover(&parsed(source)?);
    Ok(server.answer("source_discover", log, messages))
}

/// `POST /pipeline_read`.
pub(super) async fn read(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let incoming = http_api::read(request).await?;
    let mut body = Body::new(&server.engine, incoming.members);
    let streams = incoming.lines.is_some();
    if streams {
        body.refuse("stdin", STDIN_TWICE);
    }
    let (pipeline, state, limits, run_id) =
        (body.pipeline(), body.state(), body.limits(), body.text("run_id"));
    let input = body.pushed().map(pushed);
    body.finish()?;
    // There is no run to go on with: it names the lines of the log only.
    if let Some(run_id) = &run_id {
        log.set_run_id(run_id);
    }
    let request = PipelineRead {
        state,
        limits,
        input: incoming.lines.map(pushed_lines).or(input),
        stop: server.options.stop.child_token(),
        ..PipelineRead::new(parsed(pipeline)?)
    };
    Ok(server.answer("pipeline_read", log, Ok(server.engine.pipeline_read(request))))
}

/// `POST /pipeline_write`.
pub(super) async fn write(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let incoming = http_api::read(request).await?;
    let mut body = Body::new(&server.engine, incoming.members);
    let pipeline = body.pipeline();
    let written = match incoming.lines {
        Some(lines) => {
            body.refuse("stdin", STDIN_TWICE);
            body.finish()?;
            let lines = messages(lines).map(|read| read.map(|(message, _)| message));
            server.engine.pipeline_write(parsed(pipeline)?, lines)
        }
        None => {
            let stdin = body.required_stdin();
            body.finish()?;
            let given = futures::stream::iter(parsed(stdin)?.into_iter().map(Ok));
            server.engine.pipeline_write(parsed(pipeline)?, given)
        }
    };
    Ok(server.answer("pipeline_write", log, Ok(written)))
}

const STDIN_TWICE: &str =
    "with a stream of lines the messages are the lines after the first; leave `stdin` out";

/// `POST /pipeline_sync`.
pub(super) async fn sync(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let incoming = http_api::read(request).await?;
    let mut body = Body::new(&server.engine, incoming.members);
    if incoming.lines.is_some() {
        body.refuse("stdin", STDIN_TWICE);
    }
    let (pipeline, state) = (body.pipeline(), body.state());
    let limits = body.limits();
    let (run_id, sync_id) = (body.text("run_id"), body.text("sync_id"));
    let input = body.pushed().map(pushed);
    body.finish()?;
    if let Some(run_id) = &run_id {
        log.set_run_id(run_id);
    }
    let request = PipelineSync {
        state,
        limits,
        run_id,
        sync_id,
        input: incoming.lines.map(pushed_lines).or(input),
        stop: server.options.stop.child_token(),
        ..PipelineSync::new(parsed(pipeline)?)
    };
    Ok(server.answer("pipeline_sync", log, Ok(server.engine.pipeline_sync_stored(request))))
}

/// `POST /pipeline_reconcile`.
pub(super) async fn reconcile(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let mut body = Body::new(&server.engine, http_api::read_whole(request).await?);
    let (pipeline, sync_id, since) = (body.pipeline(), body.text("sync_id"), body.moment("since"));
    let (repair, max_requests) = (body.flag("repair"), body.count("max_requests"));
    let limit = body.seconds("time_limit");
    body.finish()?;
    let request = Reconcile {
        sync_id,
        since,
        repair,
        max_requests,
        limit,
        stop: server.options.stop.child_token(),
        ..Reconcile::new(parsed(pipeline)?)
    };
    Ok(server.answer("pipeline_reconcile", log, Ok(server.engine.pipeline_reconcile(request))))
}

/// `POST /pipeline_sync_batch`.
pub(super) async fn sync_batch(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Answered {
    let mut body = Body::new(&server.engine, http_api::read_whole(request).await?);
    let (pipeline, state, run_id) = (body.pipeline(), body.state(), body.text("run_id"));
    let state_limit = body.count("state_limit");
    body.finish()?;
    if let Some(run_id) = &run_id {
        log.set_run_id(run_id);
    }
    let request = PipelineSyncBatch { state, run_id, ..PipelineSyncBatch::new(parsed(pipeline)?) };
    let request = PipelineSyncBatch { state_limit: state_limit.unwrap_or(request.state_limit), ..request };
    let eof = server.engine.pipeline_sync_batch(request).instrument(log.span()).await;
    match eof {
        Ok(eof) => Ok(Json(eof).into_response()),
        Err(error) => {
            let text = logger::redact_text(&error.to_string()).into_owned();
            tracing::error!(target: SERVER_ONLY, "{text}");
            Err(if error.kind() == ErrorKind::Config { ApiError::Refused(text) } else { ApiError::Internal })
        }
    }
}
