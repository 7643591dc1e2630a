//! Who may ask.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::ApiError;

/// Who may ask: those who know the token, or, where there is none, programs of the same machine.
#[derive(Clone)]
pub struct Access {
    /// The token's digest: comparing digests tells nothing about the token by its time.
    token: Option<[u8; 32]>,
    /// Paths that nobody needs a token for: probes, and what says nothing of the server.
    open: Arc<[&'static str]>,
}

impl Access {
    /// Access with this token, except to the `open` paths. Without a token only requests that name this machine are
    /// let in, so that no web page can reach the server through a name of its own.
    pub fn new(token: Option<&SecretString>, open: &[&'static str]) -> Access {
        Access { token: token.map(|token| digest(token.expose_secret())), open: open.into() }
    }

    /// Middleware: lets a request in or refuses it.
    pub async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
        match access.admits(request.uri().path(), request.headers()) {
            Ok(()) => next.run(request).await,
            Err(error) => error.into_response(),
        }
    }

    fn admits(&self, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.open.contains(&path) {
            return Ok(());
        }
        match &self.token {
            Some(token) => {
                let right = bearer(headers).is_some_and(|given| digest(given) == *token);
                if right { Ok(()) } else { Err(ApiError::Unauthorized) }
            }
            None => names_this_machine(headers),
        }
    }
}

/// The token that a request gives: that of `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Fails with [`ApiError::ForeignHost`] where a request names another machine than this one, as web pages do that reach a server
/// through a name of their own. A request without a `Host` names none.
pub fn names_this_machine(headers: &HeaderMap) -> Result<(), ApiError> {
    match text(headers, &header::HOST) {
        Some(host) if !is_local(host) => Err(ApiError::ForeignHost),
        _ => Ok(()),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether the value of a `Host` header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn with_a_token_only_who_knows_it_is_let_in() {
        let access = Access::new(Some(&SecretString::from("abc".to_owned())), &["/health"]);
        let asked = |value| access.admits("/pipeline_sync", &with(header::AUTHORIZATION, value));
        assert!(asked("Bearer abc").is_ok() && asked("bearer  abc").is_ok());
        for wrong in ["Bearer abcd", "Bearer ab", "Basic abc", "abc", "Bearer "] {
            assert!(matches!(asked(wrong), Err(ApiError::Unauthorized)), "{wrong}");
        }
        assert!(access.admits("/pipeline_sync", &HeaderMap::new()).is_err());
        assert!(access.admits("/health", &HeaderMap::new()).is_ok());
    }

    #[test]
    fn without_one_only_local_names_are_answered() {
        let access = Access::new(None, &[]);
        for local in ["localhost", "localhost:3000", "127.0.0.1:1", "[::1]:3000", "LocalHost"] {
            assert!(access.admits("/", &with(header::HOST, local)).is_ok(), "{local}");
        }
        for foreign in ["example.com", "localhost.example.com:3000", "10.0.0.1", "127.0.0.1.example.com"] {
            assert!(access.admits("/", &with(header::HOST, foreign)).is_err(), "{foreign}");
        }
    }
}
