//! Pipelines as resources.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, HeaderValue, header};
use http_api::ApiError;
use protocol::Timestamp;
use serde_json::json;

use super::incoming::object;
use super::query::Query;
use super::resource::Resource;
use super::{Named, Server, Shared};
use crate::access::{Actor, record};
use crate::pipeline::{DesiredStatus, check_id};
use crate::standing::Stage;
use crate::steps::{Bounds, StepFailure};
use crate::store::{Change, Record, StoreError};

/// Most pipelines in one answer, and as many as there are unless told otherwise.
const PAGE: u64 = 1000;

/// How often a change is tried anew where somebody else changed the same pipeline in between.
const TRIES: usize = 5;

/// What a failure of the store is for a client.
pub(crate) fn failed(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(text) => {
            tracing::warn!("{text}");
            ApiError::Unavailable("the store cannot be reached now: ask again in a moment".to_owned())
        }
        error => {
            tracing::error!(error = %error, "the store failed");
            ApiError::Internal
        }
    }
}

/// That there is no such pipeline.
pub(super) fn not_found(id: &str) -> ApiError {
    // What is no id is not quoted.
    let id = if check_id(id).is_ok() { id } else { "(no id)" };
    ApiError::NotFound(format!("Pipeline {id} not found"))
}

/// That there is no such pipeline any more. Nobody sees what becomes of one that is deleted, so what keeps it from going is told.
fn going(record: &Record) -> ApiError {
    let id = &record.pipeline.id;
    match stuck(record) {
        Some(why) => ApiError::NotFound(format!("Pipeline {id} not found: {why}")),
        None => not_found(id),
    }
}

/// That there is a pipeline of this id, even if it is about to go.
pub(super) fn exists(record: &Record) -> ApiError {
    let why = match (record.pipeline.desired_status, stuck(record)) {
        (DesiredStatus::Deleted, Some(why)) => format!(": {why}"),
        (DesiredStatus::Deleted, None) => ": it is being deleted".to_owned(),
        _ => String::new(),
    };
    ApiError::Conflict(format!("Pipeline {} already exists{why}", record.pipeline.id))
}

/// Why a pipeline that is deleted is still there, if something keeps it.
fn stuck(record: &Record) -> Option<String> {
    let problem = record.standing.problem.as_ref().filter(|problem| problem.stage == Stage::Teardown)?;
    let at = Timestamp::from_unix_millis(problem.retry_at);
    Some(format!(
        "it is deleted, but what it made cannot be removed: {}\nThis is tried again at {at}, or at once by deleting it again; \
         with skip_teardown what it made stays, and the pipeline goes",
        problem.message
    ))
}

impl Server {
    /// The pipeline, unless it is deleted.
    pub(super) async fn found(&self, id: &str) -> Result<Record, ApiError> {
        let record = self.known(id).await?;
        match record.pipeline.desired_status {
            DesiredStatus::Deleted => Err(going(&record)),
            _ => Ok(record),
        }
    }

    /// The pipeline, even if it is deleted.
    pub(super) async fn known(&self, id: &str) -> Result<Record, ApiError> {
        check_id(id).map_err(|_| not_found(id))?;
        self.service.store().get(id).await.map_err(failed)?.ok_or_else(|| not_found(id))
    }

    async fn resource(&self, record: Record) -> Result<Resource, ApiError> {
        let now = self.service.store().now().await.map_err(failed)?;
        Ok(Resource::of(record, now, &self.service))
    }
}

/// The pipeline as it is now, with its `ETag`.
pub(super) async fn shown(server: &Server, id: &str) -> Result<Response, ApiError> {
    let record = server.found(id).await?;
    Ok(tagged(server.resource(record).await?))
}

fn tagged(resource: Resource) -> Response {
    let version = resource.version();
    with_tag(Json(resource).into_response(), version)
}

/// The answer with the `ETag` of a version.
pub(super) fn with_tag(mut response: Response, version: i64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// `GET /pipelines`.
pub(super) async fn list(server: Shared, request: Request) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let limit = query.count("limit", 1, PAGE).unwrap_or(PAGE);
    let after = query.text("starting_after");
    query.finish()?;
    if let Some(after) = &after {
        server
            .known(after)
            .await
            .map_err(|_| ApiError::Refused("starting_after: there is no such pipeline".to_owned()))?;
    }
    let store = server.service.store();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (records, has_more) = store.list(after.as_deref(), limit).await.map_err(failed)?;
    let now = store.now().await.map_err(failed)?;
    let shown = |record| Resource::of(record, now, &server.service);
    let data: Vec<Resource> = records.into_iter().map(shown).collect();
    Ok(Json(json!({"data": data, "has_more": has_more})).into_response())
}

/// `GET /pipelines/{id}`.
pub(super) async fn get(server: Shared, Named(id): Named) -> Result<Response, ApiError> {
    shown(&server, &id).await
}

/// `PATCH /pipelines/{id}`.
pub(super) async fn update(
    server: Shared,
    Named(id): Named,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, ApiError> {
    let wanted = if_match(request.headers())?;
    let members = object(request, true).await?;
    let mut tries = 0;
    loop {
        let before = server.known(&id).await?;
        if before.pipeline.desired_status == DesiredStatus::Deleted {
            return Err(match members.contains_key("desired_status") {
                true => ApiError::Conflict("Pipeline is deleted — create a new pipeline instead".to_owned()),
                false => not_found(&id),
            });
        }
        match_version(wanted, before.version)?;
        let change = server.reader().changed(&members, &before.pipeline)?;
        server.still_fits(&change, &before.pipeline)?;
        server.guarded(change.source.as_ref(), change.destination.as_ref()).await?;
        let desired = change.desired_status;
        if desired == Some(DesiredStatus::Deleted) {
            let resource = server.resource(before.clone()).await?;
            server.delete(before, false, &actor).await?;
            return Ok(Json(resource_as_deleted(resource)).into_response());
        }
        match server.service.store().update(&before, change).await {
            Ok(after) => {
                let detail = members.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let store = server.service.store();
                record(store, &actor, "pipelines.update", Some(&id), Some(&detail)).await.map_err(failed)?;
                // Any change may mend what failed.
                server.service.announce_wanted(&id, after.pipeline.desired_status).await;
                return Ok(tagged(server.resource(after).await?));
            }
            Err(StoreError::Unmet) if tries < TRIES => tries += 1,
            Err(StoreError::Unmet) => {
                return Err(ApiError::Conflict(
                    "the pipeline is changed by others all the time: ask again".to_owned(),
                ));
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// `DELETE /pipelines/{id}`.
pub(super) async fn delete(
    server: Shared,
    Named(id): Named,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let skip_teardown = query.switch("skip_teardown");
    query.finish()?;
    let wanted = if_match(request.headers())?;
    // Also one that is deleted already: what keeps it from going is tried again.
    let record = server.known(&id).await?;
    match_version(wanted, record.version)?;
    server.delete(record, skip_teardown, &actor).await?;
    Ok(Json(json!({"id": id, "deleted": true})).into_response())
}

/// `POST /pipelines/{id}/retry`: what failed is tried again at once.
pub(super) async fn retry(
    server: Shared,
    Named(id): Named,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    let found = server.found(&id).await?;
    let store = server.service.store();
    store.touch(&id).await.map_err(failed)?;
    record(store, &actor, "pipelines.retry", Some(&id), None).await.map_err(failed)?;
    server.service.announce_wanted(&id, found.pipeline.desired_status).await;
    shown(&server, &id).await
}

impl Server {
    /// Wants a pipeline deleted. Whoever orchestrates tears it down, then forgets it; where nobody does, that is done here. With
    /// `skip_teardown` it is forgotten at once, and what it made stays.
    async fn delete(&self, mut before: Record, skip_teardown: bool, actor: &Actor) -> Result<(), ApiError> {
        let id = before.pipeline.id.clone();
        let store = self.service.store();
        let mut tries = 0;
        loop {
            let change = Change { desired_status: Some(DesiredStatus::Deleted), ..Change::default() };
            match store.update(&before, change).await {
                Ok(_) => break,
                Err(StoreError::Unmet) if tries < TRIES => {
                    tries += 1;
                    before = self.known(&id).await?;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        let detail = skip_teardown.then_some("skip_teardown");
        record(store, actor, "pipelines.delete", Some(&id), detail).await.map_err(failed)?;
        if skip_teardown {
            // Whoever is at work on it loses its lease by that.
            store.forget(&id).await.map_err(failed)?;
        }
        if self.service.orchestrated {
            self.service.announce_wanted(&id, DesiredStatus::Deleted).await;
        }
        if self.service.orchestrated || skip_teardown {
            return Ok(());
        }
        match self.service.steps.run(&id, Stage::Teardown, &Bounds::default()).await {
            Ok(_) | Err(StepFailure::Gone) => Ok(()),
            Err(error) => Err(ApiError::Conflict(format!(
                "Pipeline {id} is to be deleted, but what it made could not be removed: {error}"
            ))),
        }
    }
}

fn resource_as_deleted(resource: Resource) -> serde_json::Value {
    let mut value = serde_json::to_value(resource).unwrap_or_default();
    value["desired_status"] = json!("deleted");
    value["status"] = json!("teardown");
    value
}

/// The version that the client wants to change, if it says so.
fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text == "*" {
        return Ok(None);
    }
    let version = text.trim_start_matches("W/").trim_matches('"').parse().ok();
    let stale = || ApiError::PreconditionFailed(format!("If-Match: {text} is no ETag of a pipeline"));
    version.map(Some).ok_or_else(stale)
}

fn match_version(wanted: Option<i64>, version: i64) -> Result<(), ApiError> {
    match wanted {
        Some(wanted) if wanted != version => Err(ApiError::PreconditionFailed(format!(
            "the pipeline was changed meanwhile: it is at version {version}, not {wanted}; get it again and decide anew"
        ))),
        _ => Ok(()),
    }
}
