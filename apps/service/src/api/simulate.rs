//! `simulate_webhook_sync`: what the last day's webhooks would have done.

use std::num::NonZeroU64;

use axum::Extension;
use axum::extract::{Path, Request};
use axum::response::Response;
use engine::api::Answer;
use http_api::{ApiError, Identified, KEEP_ALIVE, ndjson};
use protocol::Timestamp;
use secrecy::SecretString;
use url::Url;

use super::Shared;
use super::past_events::{PastEvents, past_events};
use super::query::Query;
use crate::steps::{ManualSync, Start};

/// So far back unless told otherwise, in seconds.
const BACK: i64 = 24 * 3600;

/// Feeds past events, oldest first, as if they were delivered. The position is neither read nor changed.
pub(super) async fn run(
    server: Shared,
    Path(id): Path<String>,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let since = query.count("created_after", 0, i64::MAX as u64).and_then(|since| i64::try_from(since).ok());
    let limit = query.count("limit", 1, u64::MAX).and_then(NonZeroU64::new);
    query.finish()?;
    let record = server.found(&id).await?;
    let source = &record.pipeline.source;
    if source.connector != "stripe" {
        return Err(ApiError::Refused("simulate_webhook_sync only works with Stripe sources".to_owned()));
    }
    let text = |name: &str| source.config.get(name).and_then(|value| value.as_str());
    let Some(key) = text("api_key") else {
        return Err(ApiError::Refused("the pipeline's source has no api_key".to_owned()));
    };
    let base_url = text("base_url").and_then(|url| Url::parse(url).ok());
    let asked = PastEvents {
        api_key: SecretString::from(key.to_owned()),
        base_url,
        since: since.unwrap_or_else(|| Timestamp::now().unix_seconds() - BACK),
        limit,
    };
    let input = past_events(asked);
    let asked = ManualSync {
        pipeline: record.pipeline.config(),
        start: Start::Nothing,
        run_id: None,
        time_limit: None,
        input: Some(input),
        keeps_state: false,
        stop: server.options.stop.child_token(),
    };
    let destination = record.pipeline.destination.connector.clone();
    let messages = server.service.steps.sync_by_hand(&record.pipeline.id, asked);
    let messages = server.hiding("stripe", &destination, messages);
    Ok(ndjson(Answer::new(Ok(messages), log, true), KEEP_ALIVE))
}
