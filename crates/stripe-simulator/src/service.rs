//! One request through the simulated API: faults, limits, key, version, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Method, Request, StatusCode, header};
use stripe_openapi::knowledge::permissions;

use crate::access::{self, Caller};
use crate::api::{self, Page};
use crate::connect;
use crate::connection::Scissors;
use crate::delivery::{endpoints, sessions};
use crate::events;
use crate::faults::Fault;
use crate::pretty::pretty;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::routes::Endpoint;
use crate::state::{Served, State};

/// Answers a request to the API of `platform`, or of an account connected to it that the request names.
pub(crate) async fn serve(platform: Arc<State>, request: Request<Body>) -> Response {
    let (request, sent) = split(request).await;
    let path = request.uri().path().to_owned();
    let caller = Caller::of(&platform, request.headers());
    // A request that is let in nowhere counts for the platform.
    let state = caller.as_ref().map_or(platform, |caller| Arc::clone(&caller.account));
    let asked = request.headers().get("stripe-version").map(|version| version.to_str().unwrap_or("?"));
    let served = state.served(asked).ok_or(asked.unwrap_or_default());
    let shown = served.unwrap_or(&state.main);
    let endpoint = shown.routes.find(&path).map_or("unknown", |(route, _)| route.pattern.as_str()).to_owned();
    let mut work = Work::begin(Arc::clone(&state), endpoint);
    let verdict = state.faults().judge(&path);
    let admitted = state.throttle().admit(&work.endpoint, state.clock.elapsed());
    work.admitted = admitted.is_ok();
    if verdict.wait_ms > 0 && admitted.is_ok() {
        tokio::time::sleep(Duration::from_millis(verdict.wait_ms)).await;
    }
    if verdict.fault == Some(Fault::Reset)
        && let Some(scissors) = request.extensions().get::<axum::extract::ConnectInfo<Scissors>>()
    {
        scissors.0.cut();
        work.status = 0;
        return Response::new(Body::empty());
    }
    let answer = match admitted {
        Err(reason) => Err(Refusal::limited(reason, state.throttle().limits().retry_after)),
        Ok(()) => refused_on_purpose(shown, verdict.fault.as_ref(), &request, &path)
            .map_or_else(|| answer(caller?, served, &request, &sent, &path), Err),
    };
    respond(shown, work, answer, verdict.fault.as_ref(), path.starts_with("/v2/"))
}

/// The most that a request to the API may send.
const BODY_LIMIT: usize = 1 << 20;

/// Takes the body off a request; a body that is too long or cut off counts as none.
async fn split(request: Request<Body>) -> (Request<Body>, Bytes) {
    if request.method() == Method::GET {
        return (request, Bytes::new());
    }
    let (parts, body) = request.into_parts();
    let sent = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    (Request::from_parts(parts, Body::empty()), sent)
}

/// A request at work; it counts as ended when dropped, also if the client goes away.
struct Work {
    state: Arc<State>,
    endpoint: String,
    /// By the account's clock, since it started.
    begun: Duration,
    admitted: bool,
    status: u16,
    objects: u64,
    bytes: u64,
}

impl Work {
    fn begin(state: Arc<State>, endpoint: String) -> Self {
        let begun = state.clock.elapsed();
        state.counters().begin(&endpoint, begun);
        Self { state, endpoint, begun, admitted: false, status: 0, objects: 0, bytes: 0 }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut counters = self.state.counters();
        counters.end(&self.endpoint, self.begun, self.status, self.objects, self.bytes);
        drop(counters);
        if self.admitted {
            self.state.throttle().release(&self.endpoint);
        }
    }
}

/// Answers if key, account and version are right; the version's account is given, or else what was asked for.
/// With the answer comes the second at which it was true.
#[allow(clippy::needless_pass_by_value)] // the caller is there for this one request
fn answer(
    caller: Caller,
    served: Result<&Served, &str>,
    request: &Request<Body>,
    sent: &[u8],
    path: &str,
) -> Result<(Page, i64), Refusal> {
    let state = &caller.account;
    let served = served.map_err(|asked| Refusal::wrong_version(asked, &state.main.api_version))?;
    let found = served.routes.find(path);
    let endpoint = found.as_ref().map(|(route, _)| &route.endpoint);
    caller.check(access::needed(&served.world(), endpoint, request.method(), path).as_deref())?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let changed = endpoints::answer(state, served, request.method(), path, sent)
        .or_else(|| sessions::answer(state, request.method(), path, host, sent));
    if let Some(answer) = changed {
        return Ok((answer?, state.clock.now()));
    }
    let Some((route, values)) = found.filter(|_| request.method() == Method::GET) else {
        return Err(Refusal::unknown_url(request.method().as_str(), path));
    };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    if let Some(platform) = state.its_platform()
        && is_itself(state, served, &route.endpoint, &values)
    {
        // What a connected account is, its platform's row says.
        let now = state.clock.now();
        let shown = platform.served(Some(&served.api_version)).unwrap_or(&platform.main).world();
        let table = shown.table_index(connect::TABLE).map_err(|_| Refusal::broken(500))?;
        let row = Endpoint::Retrieve { table, parameter: "account".into() };
        return Ok((api::answer(&shown, &row, path, &[&state.id], &query)?, now));
    }
    let world = served.world();
    if let Some(generation) = events::answer::generation(&world, &route.endpoint) {
        let log = state.feed.log();
        let now = state.clock.now();
        let asked = (generation, &route.endpoint);
        return Ok((events::answer::answer(&world, &log, asked, path, &values, &query, now)?, now));
    }
    if let Some(id) = api::strange_account(&world, &route.endpoint, &values) {
        return Err(Refusal::no_account(&caller.key, id));
    }
    // While the world cannot change: what happens in a second before `Date` is in the answer.
    let now = state.clock.now();
    Ok((api::answer(&world, &route.endpoint, path, &values, &query)?, now))
}

/// Whether an account asks for itself.
fn is_itself(state: &State, served: &Served, endpoint: &Endpoint, values: &[&str]) -> bool {
    match endpoint {
        Endpoint::OwnAccount => true,
        Endpoint::Retrieve { table, .. } => {
            values == [state.id.as_str()] && served.world().tables[*table].name == connect::TABLE
        }
        _ => false,
    }
}

fn refused_on_purpose(
    served: &Served,
    fault: Option<&Fault>,
    request: &Request<Body>,
    path: &str,
) -> Option<Refusal> {
    match fault? {
        Fault::RateLimited { reason, retry_after } => {
            const REASONS: [&str; 4] =
                ["global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency"];
            let reason = REASONS.into_iter().find(|known| known == reason).unwrap_or("global-rate");
            Some(Refusal::limited(reason, *retry_after))
        }
        Fault::Status(status) => Some(Refusal::broken(*status)),
        Fault::Refused { status, message, code } => {
            let refusal = Refusal::new(*status, message.as_str());
            Some(match code {
                Some(code) => refusal.code(code),
                None => refusal,
            })
        }
        Fault::Forbidden => {
            let found = served.routes.find(path);
            let endpoint = found.as_ref().map(|(route, _)| &route.endpoint);
            let needed = access::needed(&served.world(), endpoint, request.method(), path);
            let key = access::bearer(request.headers()).unwrap_or_default();
            let account = served.world().settings.account.id.clone();
            Some(Refusal::forbidden(key, &account, needed.as_deref().unwrap_or(permissions::OWN_ACCOUNT)))
        }
        _ => None,
    }
}

fn respond(
    served: &Served,
    mut work: Work,
    answer: Result<(Page, i64), Refusal>,
    fault: Option<&Fault>,
    v2: bool,
) -> Response {
    let second = answer.as_ref().map_or_else(|_| work.state.clock.now(), |(_, second)| *second);
    let mut response = Response::builder()
        .header("request-id", work.state.request_id())
        .header("stripe-version", served.api_version.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-cache, no-store")
        .header(header::DATE, http_date(second));
    let (status, body) = match answer {
        Ok((page, _)) => {
            work.objects = page.objects;
            (200, page.body)
        }
        Err(refusal) => {
            if let Some(reason) = refusal.limited {
                response = response.header("stripe-rate-limited-reason", reason);
            }
            if let Some(seconds) = refusal.retry_after {
                response = response.header(header::RETRY_AFTER, seconds);
            }
            if let Some(should) = refusal.should_retry() {
                response = response.header("stripe-should-retry", if should { "true" } else { "false" });
            }
            if refusal.status == 401 {
                response = response.header(header::WWW_AUTHENTICATE, "Bearer realm=\"Stripe\"");
            }
            (refusal.status, refusal.body(v2).into_bytes())
        }
    };
    let mut body = if work.state.is_pretty() { pretty(&body) } else { body };
    if status == 200 {
        match fault {
            Some(Fault::Html) => {
                let page =
                    "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Proxy</body></html>\n";
                body = page.into();
                if let Some(headers) = response.headers_mut() {
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                }
            }
            Some(Fault::ForeignJson) => body = br#"{"status":"ok","version":"1.4.2"}"#.to_vec(),
            Some(Fault::WithoutData) => {
                body = br#"{"object":"list","has_more":false,"url":"/v1/unknown"}"#.to_vec();
            }
            _ => {}
        }
    }
    work.status = status;
    work.bytes = body.len() as u64;
    let announced = body.len();
    let body = Bytes::from(body);
    let body = match fault {
        Some(Fault::Truncated { percent }) => {
            response = response.header(header::CONTENT_LENGTH, announced);
            let sent = announced * usize::from((*percent).min(99)) / 100;
            truncated(body.slice(..sent), work)
        }
        Some(Fault::SlowBody { bytes_per_ms }) => {
            response = response.header(header::CONTENT_LENGTH, announced);
            slow(body, (*bytes_per_ms).max(1), work)
        }
        _ => Body::from(body),
    };
    response
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .body(body)
        .unwrap_or_default()
}

/// A body that ends in the middle. What is sent goes out before the error closes the connection.
fn truncated(sent: Bytes, work: Work) -> Body {
    let end = futures::stream::once(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(work);
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(futures::stream::iter([Ok(sent)]).chain(end))
}

/// A body that trickles in pieces of about ten milliseconds. The request is at work until its end.
fn slow(body: Bytes, bytes_per_ms: u32, work: Work) -> Body {
    let piece = bytes_per_ms as usize * 10;
    Body::from_stream(futures::stream::unfold((body, work), move |(mut rest, work)| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let next = rest.split_to(piece.min(rest.len()));
        Some((Ok::<_, std::io::Error>(next), (rest, work)))
    }))
}

/// A time as HTTP writes it: `Tue, 15 Nov 1994 08:12:31 GMT`.
fn http_date(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
