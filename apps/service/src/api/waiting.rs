//! Read your own writes: an answer once a change is in the copy.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http_api::ApiError;
use protocol::counted;
use serde_json::json;
use tokio::time::Instant;

use super::pipelines::failed;
use super::query::Query;
use super::{Named, Shared};

/// For how long, in seconds, unless told otherwise; and at the most.
const USUAL: u64 = 30;
const LONGEST: u64 = 300;

/// How often it is looked at what other processes do.
const LOOK: Duration = Duration::from_millis(100);

/// `GET /pipelines/{id}/wait`: answers once the event, or everything that was delivered about the object, is applied.
pub(super) async fn wait(server: Shared, Named(id): Named, request: Request) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let (event, object) = (query.text("event"), query.text("object"));
    let timeout = query.count("timeout", 0, LONGEST).unwrap_or(USUAL);
    if event.is_some() == object.is_some() {
        query.note::<()>("custom", "event", "name either the `event` or the `object` to wait for".to_owned());
    }
    query.finish()?;
    server.found(&id).await?;
    let store = server.service.store();
    let deadline = Instant::now() + Duration::from_secs(timeout);
    loop {
        let changing = store.changing(LOOK);
        let applied = match (&event, &object) {
            (Some(event), _) => store.event_applied(&id, event).await.map_err(failed)? == Some(true),
            (_, Some(object)) => store.waiting_about(&id, object).await.map_err(failed)? == 0,
            (None, None) => true,
        };
        if applied {
            return Ok(Json(json!({"applied": true})).into_response());
        }
        if Instant::now() >= deadline || server.options.stop.is_cancelled() {
            let what = event.as_deref().or(object.as_deref()).unwrap_or_default();
            return Err(ApiError::NotInTime(format!(
                "{what} is not applied after {}; ask again to wait longer",
                counted(timeout, "second")
            )));
        }
        changing.await;
    }
}
