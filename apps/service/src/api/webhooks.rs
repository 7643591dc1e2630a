//! `POST /webhooks/{pipeline_id}`: what Stripe posts.

use std::time::Instant;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use protocol::{RawJson, Timestamp};
use serde::Deserialize;
use source_stripe::{WebhookRefusal, webhook_event};

use super::{Named, Shared};
use crate::pipeline::check_id;
use crate::store::Delivery;
use crate::webhooks::{Secret, Taken};

/// The longest body, in bytes: Stripe's events are far shorter.
const LONGEST: usize = 2 << 20;

const SIGNATURE: &str = "stripe-signature";

/// Verifies an event, stores it durably, and only then answers `ok`.
pub(super) async fn push(server: Shared, Named(id): Named, request: Request) -> Response {
    let began = Instant::now();
    let (status, text) = take(&server, &id, request).await;
    server.figures.webhook(status, began.elapsed());
    let mut response = (status, text).into_response();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // What was not read of the body keeps the connection from being used again; whoever posts is told.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn take(server: &Shared, id: &str, request: Request) -> (StatusCode, &'static str) {
    let missing = (StatusCode::NOT_FOUND, "pipeline not found");
    if check_id(id).is_err() {
        return missing;
    }
    let secret = match server.secrets.of(server.service.store(), id).await {
        Ok(Secret::NoPipeline) => return missing,
        Ok(Secret::NotStripe) => return (StatusCode::BAD_REQUEST, "the pipeline's source is not stripe"),
        Ok(Secret::NotConfigured) => {
            return (StatusCode::BAD_REQUEST, "the pipeline's source has no webhook_secret");
        }
        Ok(Secret::Known(secret)) => secret,
        Err(error) => {
            tracing::error!(error = %error, "webhooks cannot be taken");
            return (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be reached");
        }
    };
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    let signatures: Vec<&str> =
        head.headers.get_all(SIGNATURE).iter().filter_map(|value| value.to_str().ok()).collect();
    let event = match webhook_event(&signatures.join(","), body, &secret, Timestamp::now().unix_seconds()) {
        Ok(event) => event,
        Err(WebhookRefusal::Unproven(why)) => {
            tracing::warn!(pipeline = id, why, "a webhook was refused");
            return (StatusCode::UNAUTHORIZED, "webhook signature verification failed");
        }
        Err(WebhookRefusal::NoEvent(why)) => {
            tracing::warn!(pipeline = id, why, "a webhook was refused");
            return (StatusCode::BAD_REQUEST, "the body is no event");
        }
    };
    let Some(delivery) = delivery(id, &event) else {
        return (StatusCode::BAD_REQUEST, "the body is no event");
    };
    match server.service.intake.take(delivery).await {
        Taken::Stored => {
            if let Some(announce) = &server.service.announce
                && let Err(error) = announce.delivered(id).await
            {
                // It is stored; the orchestrator finds it the next time it looks.
                tracing::warn!(pipeline = id, error, "the orchestrator could not be told of a delivery");
            }
            (StatusCode::OK, "ok")
        }
        Taken::Refused => (StatusCode::SERVICE_UNAVAILABLE, "the event cannot be stored now"),
    }
}

fn delivery(id: &str, event: &RawJson) -> Option<Delivery> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
        data: Option<Data>,
        related_object: Option<Object>,
    }
    #[derive(Deserialize)]
    struct Data {
        object: Option<Object>,
    }
    #[derive(Deserialize)]
    struct Object {
        id: Option<String>,
    }
    let read: Event = serde_json::from_slice(event.as_bytes()).ok()?;
    let object = read.data.and_then(|data| data.object).or(read.related_object);
    Some(Delivery {
        pipeline: id.to_owned(),
        event: read.id,
        object: object.and_then(|object| object.id),
        body: event.as_str().to_owned(),
    })
}
