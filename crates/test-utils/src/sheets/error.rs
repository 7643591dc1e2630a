//! Errors as Google says them.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) code: u16,
    status: &'static str,
    message: String,
    reason: Option<&'static str>,
}

impl ApiError {
    pub(super) fn new(code: u16, status: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { code, status, message: message.into(), reason: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "INVALID_ARGUMENT", message)
    }

    pub(super) fn not_found() -> ApiError {
        ApiError::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    pub(super) fn forbidden() -> ApiError {
        ApiError::new(403, "PERMISSION_DENIED", "The caller does not have permission")
    }

    pub(super) fn protected() -> ApiError {
        let message = "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to remove protection \
                       if you need to edit.";
        ApiError::new(403, "PERMISSION_DENIED", message)
    }

    pub(super) fn unauthenticated() -> ApiError {
        ApiError::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        )
    }

    /// `kind` is `Read` or `Write`.
    pub(super) fn quota(kind: &str) -> ApiError {
        let message = format!(
            "Quota exceeded for quota metric '{kind} requests' and limit '{kind} requests per minute per user' of service 'sheets.googleapis.com'"
        );
        ApiError { reason: Some("RATE_LIMIT_EXCEEDED"), ..ApiError::new(429, "RESOURCE_EXHAUSTED", message) }
    }

    pub(super) fn unavailable() -> ApiError {
        ApiError::new(503, "UNAVAILABLE", "The service is currently unavailable.")
    }

    /// The same, of one request among several.
    pub(super) fn at_request(&self, at: usize) -> ApiError {
        let message = self.message.strip_prefix("Invalid requests: ").unwrap_or(&self.message);
        ApiError { message: format!("Invalid requests[{at}]: {message}"), ..self.clone() }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut body = json!({"error": {"code": self.code, "message": self.message, "status": self.status}});
        if let Some(reason) = self.reason {
            body["error"]["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
            }]);
        }
        answer(self.code, &body)
    }
}

/// A JSON answer.
pub(super) fn answer(code: u16, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    response
}
