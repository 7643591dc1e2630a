//! How a request fails: one shape for all, `{"error": …}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::Issues;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body is not JSON.
    #[error("Malformed JSON in request body")]
    Malformed,
    /// The body is JSON, but not what the operation takes.
    #[error("{0}")]
    Invalid(Issues),
    /// The request is well formed, and cannot be done: what is wrong, for the client.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// The client asked for a version that is no longer the current one.
    #[error("{0}")]
    PreconditionFailed(String),
    /// What the client waits for has not happened in time.
    #[error("{0}")]
    NotInTime(String),
    /// It cannot be done now; asking again helps.
    #[error("{0}")]
    Unavailable(String),
    /// The token is missing or wrong.
    #[error("this server wants a token: send the header `Authorization: Bearer <token>`")]
    Unauthorized,
    /// Without a token the server answers only to names of its own machine.
    #[error(
        "without a token this server answers only to `localhost`; start it with a token, or fix the Host header"
    )]
    ForeignHost,
    /// The body is longer than allowed.
    #[error("the request body is longer than {limit} bytes{}", advice(*.lines))]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Whether the operation takes a body of lines instead, which has no limit.
        lines: bool,
    },
    /// Something failed that the client can do nothing about; the log knows.
    #[error("Internal server error")]
    Internal,
}

fn advice(lines: bool) -> String {
    match lines {
        true => format!("; send it as a stream of lines ({})", crate::NDJSON),
        false => ", which is the most that is taken here".to_owned(),
    }
}

impl ApiError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            ApiError::Malformed | ApiError::Invalid(_) | ApiError::Refused(_) => StatusCode::BAD_REQUEST,
            ApiError::NotFound(_) => StatusCode::NOT_FOUND,
            ApiError::Conflict(_) => StatusCode::CONFLICT,
            ApiError::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            ApiError::NotInTime(_) => StatusCode::REQUEST_TIMEOUT,
            ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Unauthorized => StatusCode::UNAUTHORIZED,
            ApiError::ForeignHost => StatusCode::FORBIDDEN,
            ApiError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = match &self {
            ApiError::Invalid(issues) => json!({"error": issues}),
            other => json!({"error": other.to_string()}),
        };
        let mut response = (self.status(), Json(body)).into_response();
        if matches!(self, ApiError::Unavailable(_)) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(self, ApiError::Unauthorized) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self, ApiError::TooLarge { .. }) {
            // What was not read of the body keeps the connection from being used again; the client is told.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
