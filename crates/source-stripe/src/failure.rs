//! Answers by which Stripe says no, and requests that got no answer.

use std::fmt;

use reqwest::header::HeaderMap;
use serde::Deserialize;

/// Why a request failed for good.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// Stripe answered with an error.
    Api(ApiError),
    /// No answer, or none that makes sense; a sentence.
    NoAnswer(String),
}

/// An error as Stripe tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    /// Stripe's own sentence.
    pub(crate) message: Option<String>,
    /// E.g. `resource_missing`.
    pub(crate) code: Option<String>,
    /// The parameter that is at fault.
    pub(crate) param: Option<String>,
    /// The last second whose changes the answer knows of, as [`crate::client::Received::as_of`].
    pub(crate) as_of: i64,
    /// `GET /v1/x (400)` and the headers that help to find the request.
    context: String,
    headers: String,
}

/// Headers that are told with an error.
const TOLD_HEADERS: [&str; 6] = [
    "request-id",
    "retry-after",
    "stripe-should-retry",
    "stripe-rate-limited-reason",
    "stripe-action-id",
    "stripe-server-environment",
];

#[derive(Deserialize)]
struct Body {
    error: Details,
}

#[derive(Deserialize)]
struct Details {
    message: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

impl ApiError {
    /// Reads an answer to `GET path` whose status is not 200.
    #[cfg(test)]
    pub(crate) fn read(path: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> ApiError {
        ApiError::read_of("GET", path, status, headers, body)
    }

    /// Reads an answer to `method path` whose status is not 200.
    pub(crate) fn read_of(
        method: &str,
        path: &str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> ApiError {
        let details = serde_json::from_slice::<Body>(body).ok().map(|body| body.error);
        let (message, code, param) =
            details.map_or((None, None, None), |details| (details.message, details.code, details.param));
        let told: Vec<String> = TOLD_HEADERS
            .iter()
            .filter_map(|name| Some(format!("{name}={}", headers.get(*name)?.to_str().ok()?)))
            .collect();
        ApiError {
            status,
            message: message.filter(|message| !message.is_empty()),
            code,
            param,
            as_of: 0,
            context: format!("{method} {path} ({status})"),
            headers: if told.is_empty() { String::new() } else { format!(" {{{}}}", told.join(", ")) },
        }
    }

    /// The same error of an answer that knows of all changes up to the second `as_of`.
    pub(crate) fn answered(self, as_of: i64) -> ApiError {
        ApiError { as_of, ..self }
    }

    /// Whether what the request is about does not exist, rather than a cursor in it.
    pub(crate) fn is_gone(&self) -> bool {
        self.code.as_deref() == Some("resource_missing")
            && !matches!(self.param.as_deref(), Some("starting_after" | "ending_before"))
    }

    /// Whether the key has no access, or no longer, to the account that is asked for.
    pub(crate) fn refuses_account(&self) -> bool {
        self.code.as_deref() == Some("account_invalid")
    }

    /// Whether the object that the cursor names is gone, or the page token is no longer good.
    pub(crate) fn is_lost_cursor(&self, is_v2: bool) -> bool {
        let names_cursor = self.param.as_deref() == Some("starting_after");
        let missing = self.code.as_deref() == Some("resource_missing");
        if is_v2 { self.status == 400 } else { matches!(self.status, 400 | 404) && missing && names_cursor }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(formatter, "{message} [{}]{}", self.context, self.headers),
            None => write!(formatter, "Stripe API request failed: {}{}", self.context, self.headers),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Api(error) => error.fmt(formatter),
            RequestError::NoAnswer(sentence) => formatter.write_str(sentence),
        }
    }
}

impl RequestError {
    /// Whether the key has no access to the account that is asked for.
    pub(crate) fn refuses_account(&self) -> bool {
        matches!(self, RequestError::Api(error) if error.refuses_account())
    }

    /// The status of Stripe's answer, if there was one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            RequestError::Api(error) => Some(error.status),
            RequestError::NoAnswer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn errors_read_as_users_know_them() {
        let told = headers(&[("retry-after", "2"), ("request-id", "req_1"), ("server", "nginx")]);
        let body = br#"{"error":{"message":"No such customer: 'cus_1'","type":"invalid_request_error","code":"resource_missing","param":"starting_after"}}"#;
        let error = ApiError::read("/v1/customers", 400, &told, body);
        assert_eq!(
            error.to_string(),
            "No such customer: 'cus_1' [GET /v1/customers (400)] {request-id=req_1, retry-after=2}"
        );
        assert!(error.is_lost_cursor(false));
        let bare = ApiError::read("/v1/customers", 500, &HeaderMap::new(), b"<html>");
        assert_eq!(bare.to_string(), "Stripe API request failed: GET /v1/customers (500)");
        assert!(!bare.is_lost_cursor(false));
    }
}
