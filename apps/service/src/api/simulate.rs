//! `simulate_webhook_sync`: what the last day's webhooks would have done.

use std::num::NonZeroU64;

use axum::Extension;
use axum::extract::Request;
use axum::response::Response;
use engine::api::Answer;
use http_api::{ApiError, Identified, KEEP_ALIVE, ndjson};
use protocol::Timestamp;
use serde_json::Value;
use source_stripe::StripeConfig;

use super::query::Query;
use super::{Named, Shared};
use crate::steps::{ManualSync, Start};
use crate::stripe::is_stripe;

/// So far back unless told otherwise, in seconds.
const BACK: i64 = 24 * 3600;

/// Feeds past events, oldest first, as if they were delivered. The position is neither read nor changed.
pub(super) async fn run(
    server: Shared,
    Named(id): Named,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let since = query.count("created_after", 0, i64::MAX as u64).and_then(|since| i64::try_from(since).ok());
    let limit = query.count("limit", 1, u64::MAX).and_then(NonZeroU64::new);
    query.finish()?;
    let record = server.found(&id).await?;
    let source = &record.pipeline.source;
    if !is_stripe(source) {
        return Err(ApiError::Refused("simulate_webhook_sync only works with Stripe sources".to_owned()));
    }
    let config: StripeConfig = serde_json::from_value(Value::Object(source.config.clone()))
        .map_err(|error| ApiError::Refused(format!("the pipeline's source cannot be used: {error}")))?;
    let since = since.unwrap_or_else(|| Timestamp::now().unix_seconds() - BACK);
    let asked = ManualSync {
        start: Start::Nothing,
        input: Some(server.service.stripe.past_events(config, since, limit)),
        keeps_state: false,
        stop: server.options.stop.child_token(),
        ..ManualSync::of(record.pipeline.config())
    };
    let messages = server.sync_by_hand(&id, asked);
    Ok(ndjson(Answer::new(Ok(messages), log, true), KEEP_ALIVE))
}
