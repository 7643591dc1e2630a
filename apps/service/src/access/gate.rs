//! The gate before the API.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use http_api::{ApiError, bearer, names_this_machine};
use serde_json::json;

use super::Scope;
use super::attempts::Attempts;
use super::tokens::{Token, digest, find, used};
use crate::store::{Store, StoreError};

/// So long a token is believed without asking the store: one that is revoked works for as long at the most.
const BELIEVED: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The id of the token; `local` without one.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Actor {
    /// Somebody on this machine, where no token is needed.
    pub fn local() -> Actor {
        Actor { id: "local".to_owned(), name: String::new() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.id)?;
        if self.name.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.name) }
    }
}

/// How the gate is kept.
#[derive(Debug, Clone)]
pub struct GateOptions {
    /// Whether a token is needed. Without one, only requests that name this machine are let in.
    pub required: bool,
    /// Paths for which it is not.
    pub open: Vec<String>,
}

/// The gate.
#[derive(Clone)]
pub struct Gate(Arc<Kept>);

struct Kept {
    store: Store,
    options: GateOptions,
    attempts: Mutex<Attempts>,
    known: Mutex<HashMap<String, (Instant, Token)>>,
}

/// What a request says of whoever asks.
struct Asked {
    method: Method,
    path: String,
    /// Whether it names another machine than this one.
    is_foreign: bool,
    token: Option<String>,
    address: IpAddr,
}

impl Asked {
    fn of(request: &Request) -> Asked {
        Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            is_foreign: names_this_machine(request.headers()).is_err(),
            token: bearer(request.headers()).map(str::to_owned),
            address: address(request),
        }
    }

    /// Whether it is a webhook, which its signature proves.
    fn is_webhook(&self) -> bool {
        let id = self.path.strip_prefix("/webhooks/");
        self.method == Method::POST && id.is_some_and(|id| !id.contains('/'))
    }
}

/// Why somebody is not let in.
enum Denied {
    Api(ApiError),
    TooSmall(Scope),
    Locked(Duration),
}

impl Gate {
    /// A gate.
    pub fn new(store: Store, options: GateOptions) -> Gate {
        Gate(Arc::new(Kept { store, options, attempts: Mutex::default(), known: Mutex::default() }))
    }

    /// Middleware: lets a request in or refuses it. Who is let in is an [`Actor`] among its extensions.
    pub async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
        let asked = Asked::of(&request);
        match gate.0.admit(&asked).await {
            Ok(actor) => {
                request.extensions_mut().insert(actor);
                next.run(request).await
            }
            Err(Denied::Api(error)) => error.into_response(),
            Err(Denied::TooSmall(scope)) => {
                let text = format!("this needs a token of scope `{}`", scope.as_str());
                (StatusCode::FORBIDDEN, axum::Json(json!({"error": text}))).into_response()
            }
            Err(Denied::Locked(left)) => {
                let text =
                    "too many requests of this address had no right token: wait, then use the right one";
                let mut response =
                    (StatusCode::TOO_MANY_REQUESTS, axum::Json(json!({"error": text}))).into_response();
                let seconds = HeaderValue::from(left.as_secs() + 1);
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
                response
            }
        }
    }
}

impl Kept {
    async fn admit(&self, asked: &Asked) -> Result<Actor, Denied> {
        let path = asked.path.as_str();
        if self.options.open.iter().any(|open| open == path) || asked.is_webhook() {
            return Ok(Actor::local());
        }
        if !self.options.required {
            return match asked.is_foreign {
                true => Err(Denied::Api(ApiError::ForeignHost)),
                false => Ok(Actor::local()),
            };
        }
        let address = asked.address;
        let now = Instant::now();
        // Whoever is known goes on, whatever others of the same address do.
        let known = asked.token.as_deref().is_some_and(|token| self.is_known(&digest(token), now));
        if let Some(left) = self.attempts.lock().unwrap_or_else(PoisonError::into_inner).locked(address, now)
            && !known
        {
            return Err(Denied::Locked(left));
        }
        let token = match asked.token.as_deref() {
            Some(token) => self.token(token).await.map_err(|error| {
                tracing::error!(error = %error, "tokens cannot be looked up");
                Denied::Api(ApiError::Unavailable("tokens cannot be looked up now: ask again".to_owned()))
            })?,
            None => None,
        };
        let Some(token) = token else {
            self.attempts.lock().unwrap_or_else(PoisonError::into_inner).failed(address, now);
            return Err(Denied::Api(ApiError::Unauthorized));
        };
        let needed = needed(&asked.method, path);
        if token.scope < needed {
            return Err(Denied::TooSmall(needed));
        }
        Ok(Actor { id: token.id, name: token.name })
    }

    /// Whether a token was right just now.
    fn is_known(&self, digest: &str, now: Instant) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|(at, _)| now.duration_since(*at) < BELIEVED)
    }

    async fn token(&self, token: &str) -> Result<Option<Token>, StoreError> {
        let (digest, now) = (digest(token), Instant::now());
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, (at, _)| now.duration_since(*at) < BELIEVED);
            if let Some((_, token)) = known.get(&digest) {
                return Ok(Some(token.clone()));
            }
        }
        let Some(token) = find(&self.store, &digest).await? else { return Ok(None) };
        if let Err(error) = used(&self.store, &token.id).await {
            tracing::warn!(error = %error, "that a token was used cannot be noted");
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, (now, token.clone()));
        Ok(Some(token))
    }
}

/// What a request needs.
fn needed(method: &Method, path: &str) -> Scope {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "tokens" | "audit" => Scope::Admin,
        _ if method == Method::GET || method == Method::HEAD => Scope::Read,
        _ => Scope::Write,
    }
}

fn address(request: &Request) -> IpAddr {
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    match address.to_canonical() {
        // Whoever has one address of version 6 has a network of them.
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_needs_a_scope() {
        for (method, path, scope) in [
            (Method::GET, "/pipelines", Scope::Read),
            (Method::GET, "/metrics", Scope::Read),
            (Method::POST, "/pipelines", Scope::Write),
            (Method::PATCH, "/pipelines/a", Scope::Write),
            (Method::GET, "/tokens", Scope::Admin),
            (Method::GET, "/audit", Scope::Admin),
            (Method::DELETE, "//tokens/a", Scope::Admin),
        ] {
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        }
    }
}
