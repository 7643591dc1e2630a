//! Creating pipelines, and trying what would be created.

use axum::Extension;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use engine::Side;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use http_api::{ApiError, Identified, Issue, Issues, KEEP_ALIVE, Step, ndjson};
use protocol::{ConnectionState, ConnectorConfig, Payload};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::incoming::{Reader, object};
use super::pipelines::{exists, failed, shown, with_tag};
use super::query::Query;
use super::{Server, Shared};
use crate::access::{Actor, record};
use crate::pipeline::Pipeline;
use crate::store::{Answered, Asked, StoreError};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest key that a client may give, as Stripe has it.
const LONGEST_KEY: usize = 255;

/// `POST /pipelines`.
pub(super) async fn create(
    server: Shared,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let skip_check = query.switch("skip_check");
    query.finish()?;
    let key = idempotency_key(&request)?;
    let members = object(request, false).await?;
    let Some(key) = key else {
        return server.create(members, skip_check, &actor).await;
    };
    let text = serde_json::to_string(&members).unwrap_or_default();
    let digest = hex::encode(Sha256::digest(format!("{}\n{skip_check}\n{text}", actor.id)));
    let store = server.service.store();
    match store.ask(&key, &digest).await.map_err(failed)? {
        Asked::New => {}
        Asked::Before(answered) => return Ok(again(&answered)),
        Asked::UnderWay => {
            return Err(ApiError::Conflict(
                "a request with this Idempotency-Key is under way: ask again in a moment".to_owned(),
            ));
        }
        Asked::Other => {
            return Err(ApiError::Refused(
                "this Idempotency-Key was used for another request: use a new one".to_owned(),
            ));
        }
    }
    let response = match server.create(members, skip_check, &actor).await {
        Ok(response) => response,
        Err(error) => {
            // It was not done: the same request may be made again.
            store.unask(&key).await.map_err(failed)?;
            return Err(error);
        }
    };
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| ApiError::Internal)?;
    let answered =
        Answered { status: head.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() };
    store.answer(&key, &answered).await.map_err(failed)?;
    Ok(Response::from_parts(head, body.into()))
}

/// `POST /pipelines/check`: what `check` says of a pipeline that does not exist.
pub(super) async fn check(
    server: Shared,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    let pipeline = server.reader().created(object(request, false).await?)?;
    server.fits(&pipeline)?;
    server.guarded(Some(&pipeline.source), Some(&pipeline.destination)).await?;
    let messages = server.service.steps.engines().check(pipeline.config(), Side::Both);
    Ok(ndjson(engine::api::Answer::new(messages, log, false), KEEP_ALIVE))
}

impl Server {
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { service: &self.service }
    }

    /// Refuses connectors that name what they may not.
    pub(super) async fn guarded(
        &self,
        source: Option<&ConnectorConfig>,
        destination: Option<&ConnectorConfig>,
    ) -> Result<(), ApiError> {
        let mut issues = Issues::default();
        for (side, connector) in [("source", source), ("destination", destination)] {
            let Some(connector) = connector else { continue };
            if let Err(refused) = self.options.guard.check(connector).await {
                let place = [Step::from(side), Step::from(&*connector.connector)];
                let path = place.into_iter().chain(refused.path).collect();
                issues.0.push(Issue::custom(path, refused.message));
            }
        }
        if issues.0.is_empty() { Ok(()) } else { Err(ApiError::Invalid(issues)) }
    }

    async fn create(
        &self,
        members: Map<String, Value>,
        skip_check: bool,
        actor: &Actor,
    ) -> Result<Response, ApiError> {
        let pipeline = self.reader().created(members)?;
        self.fits(&pipeline)?;
        self.guarded(Some(&pipeline.source), Some(&pipeline.destination)).await?;
        let store = self.service.store();
        if let Some(there) = store.glance(&pipeline.id).await.map_err(failed)? {
            return Err(exists(&there));
        }
        if !skip_check {
            self.refuse_failing(&pipeline).await?;
        }
        match store.create(&pipeline).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                let id = &pipeline.id;
                return Err(ApiError::Conflict(format!("Pipeline {id} already exists")));
            }
            Err(error) => return Err(failed(error)),
        }
        record(store, actor, "pipelines.create", Some(&pipeline.id), None).await.map_err(failed)?;
        self.service.announce_wanted(&pipeline.id, pipeline.desired_status).await;
        let created = shown(self, &pipeline.id).await?;
        Ok((StatusCode::CREATED, created).into_response())
    }

    /// Asks both connectors; the first that fails is told.
    pub(super) async fn refuse_failing(&self, pipeline: &Pipeline) -> Result<(), ApiError> {
        let side = |tag: &str| if tag.starts_with("source") { "Source" } else { "Destination" };
        let kind = |tag: &str| {
            let source = tag.starts_with("source");
            if source { pipeline.source.connector.clone() } else { pipeline.destination.connector.clone() }
        };
        let refused = |tag: &str, why: &str| {
            let why = logger::redact_text(why);
            ApiError::Refused(format!("{} check failed ({}): {why}", side(tag), kind(tag)))
        };
        let messages = self.service.steps.engines().check(pipeline.config(), Side::Both);
        let mut messages = messages.map_err(|error| refused("source", &error.to_string()))?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| match &error {
                engine::EngineError::Connector { role: engine::Role::Destination, .. } => {
                    refused("destination", &error.to_string())
                }
                _ => refused("source", &error.to_string()),
            })?;
            if let Payload::ConnectionStatus(status) = &message.payload
                && status.status == ConnectionState::Failed
            {
                let tag = message.emitted_by.as_deref().unwrap_or("source");
                return Err(refused(tag, status.message.as_deref().unwrap_or("the connection failed")));
            }
        }
        Ok(())
    }
}

fn idempotency_key(request: &Request) -> Result<Option<String>, ApiError> {
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key.to_owned())),
        _ => {
            let text = format!("Idempotency-Key has 1 to {LONGEST_KEY} printable characters");
            Err(ApiError::Invalid(Issues(vec![Issue::custom(vec![IDEMPOTENCY_KEY.into()], text)])))
        }
    }
}

/// The answer of before.
fn again(answered: &Answered) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answered.body.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    // The version that was answered then, so that a change of it meets whoever changed the pipeline meanwhile.
    match serde_json::from_str::<Versioned>(&answered.body) {
        Ok(answer) => with_tag(response, answer.version),
        Err(_) => response,
    }
}

/// What an answer says of a pipeline's version.
#[derive(serde::Deserialize)]
struct Versioned {
    version: i64,
}
