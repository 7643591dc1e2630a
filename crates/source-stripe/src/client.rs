//! The HTTP edge: one request, its answer, and its repetitions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{ConnectorError, TRACE, with_causes};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tracing::{Instrument, Span};
use url::Url;

use crate::config::Access;
use crate::connections::{Connections, Way};
use crate::failure::{ApiError, RequestError};
use crate::limit::{Admission, Answer, Gate};
use crate::page::Unexpected;
use crate::proxy::ProxyRules;
use crate::retry::{self, Failure};
use crate::stripe_clock::{StripeClock, as_of};

/// A body that stands still for so long is not coming.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where accounts are named by the path.
const ACCOUNTS: &str = "/v1/accounts/";

/// Asks one Stripe account.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    connections: Connections,
    /// The proxy on the way, by name.
    proxy: Option<String>,
    gate: Arc<Gate>,
    clock: Arc<StripeClock>,
    /// Whether answers are named, for rows that say where they come from.
    provenance: bool,
    /// In whose name it asks, where that is not the account of the key.
    behalf: Option<Behalf>,
    /// Why that account lets nobody in.
    lost: watch::Sender<Option<String>>,
}

/// An account in whose name requests are made, as a header says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behalf {
    header: HeaderName,
    account: HeaderValue,
}

impl Behalf {
    /// The account that `Stripe-Account` names: one that is connected to the account of the key.
    pub(crate) fn connected(account: &str) -> Result<Behalf, ConnectorError> {
        Behalf::named(HeaderName::from_static("stripe-account"), account)
    }

    /// The account at the end of the path that `Stripe-Context` names, for keys of organisations.
    pub(crate) fn context(path: &str) -> Result<Behalf, ConnectorError> {
        Behalf::named(HeaderName::from_static("stripe-context"), path)
    }

    /// The account as the header names it.
    pub(crate) fn account(&self) -> &[u8] {
        self.account.as_bytes()
    }

    fn named(header: HeaderName, account: &str) -> Result<Behalf, ConnectorError> {
        let named = HeaderValue::try_from(account);
        let account = named.map_err(|_| ConnectorError::config(format!("{account:?} is no account")))?;
        Ok(Behalf { header, account })
    }
}

/// A GET request.
#[derive(Debug, Clone)]
pub(crate) struct Get {
    /// E.g. `/v1/charges`; also what Stripe limits by.
    pub(crate) path: Arc<str>,
    pub(crate) query: Vec<(String, String)>,
}

impl Get {
    pub(crate) fn plain(path: &str) -> Get {
        Get { path: path.into(), query: Vec::new() }
    }
}

/// A request that changes something.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    method: Method,
    path: Arc<str>,
    /// What Stripe limits the request by: the path without the object that it names.
    endpoint: Arc<str>,
    form: Vec<(String, String)>,
    /// Beside those of every request, or in their place.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Change {
    /// Posts a form to `path`, e.g. `/v1/webhook_endpoints`.
    pub(crate) fn post(path: &str, form: Vec<(String, String)>) -> Change {
        let path: Arc<str> = path.into();
        Change { method: Method::POST, endpoint: Arc::clone(&path), path, form, headers: Vec::new() }
    }

    /// Posts a form to the object `id` under `path`.
    pub(crate) fn post_to(path: &str, id: &str, form: Vec<(String, String)>) -> Change {
        Change { path: format!("{path}/{id}").into(), ..Change::post(path, form) }
    }

    /// Deletes the object `id` under `path`.
    pub(crate) fn delete(path: &str, id: &str) -> Change {
        Change { method: Method::DELETE, ..Change::post_to(path, id, Vec::new()) }
    }
}

/// An answer 200.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: Bytes,
    /// The last unix second, by Stripe's clock, whose changes the answer is certain to show.
    pub(crate) as_of: i64,
    /// The endpoint and Stripe's id of the request, if rows are to say where they come from.
    pub(crate) name: Option<String>,
}

/// One attempt that failed.
struct Attempt {
    error: RequestError,
    failure: Failure,
    retry_after: Option<Duration>,
}

/// What a request is about, for limits and errors.
struct Target<'a> {
    method: Method,
    path: &'a str,
    endpoint: &'a Arc<str>,
}

impl Client {
    /// A client for the account that `access` opens; each request takes at most `timeout`.
    pub(crate) fn new(
        access: &Access,
        gate: Arc<Gate>,
        timeout: Duration,
        proxies: &ProxyRules,
    ) -> Result<Client, ConnectorError> {
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", access.api_key.expose_secret()))
            .map_err(|_| ConnectorError::config("api_key holds characters that no key has"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        let version = HeaderValue::try_from(access.api_version.as_str())
            .map_err(|_| ConnectorError::config("api_version holds characters that no version has"))?;
        headers.insert(HeaderName::from_static("stripe-version"), version);
        let connections = Connections::new(proxies, access.ca_certificate.as_deref())?;
        let Way { builder, proxy } = connections.to(&access.base_url)?;
        let http = builder
            .user_agent(concat!("sync-engine/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .read_timeout(IDLE_TIMEOUT.min(timeout))
            .timeout(timeout)
            .build()
            .map_err(|error| ConnectorError::internal(format!("no HTTP client: {}", with_causes(&error))))?;
        let behalf = access.context.clone();
        let (base, lost) = (access.base_url.clone(), watch::Sender::default());
        let provenance = access.provenance;
        Ok(Client { http, base, connections, proxy, gate, clock: Arc::default(), provenance, behalf, lost })
    }

    /// A client that asks in the name of another account, if one is named, over the same connections.
    pub(crate) fn on_behalf(&self, behalf: Option<Behalf>, gate: Arc<Gate>) -> Client {
        Client {
            http: self.http.clone(),
            base: self.base.clone(),
            connections: self.connections.clone(),
            proxy: self.proxy.clone(),
            gate,
            clock: Arc::clone(&self.clock),
            provenance: self.provenance,
            behalf,
            lost: watch::Sender::default(),
        }
    }

    /// Completes once Stripe has said that the account in whose name this client asks lets nobody in; answers why.
    pub(crate) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        // It cannot end before this client does.
        let why = lost.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_default()
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// How far Stripe's clock is ahead of this machine's, in seconds; 0 until Stripe has answered once.
    pub(crate) fn clock_ahead(&self) -> i64 {
        self.clock.ahead()
    }

    /// What Stripe's clock says: unix seconds. This machine's, until Stripe has answered once.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now(jiff::Timestamp::now().as_second())
    }

    /// How other hosts of Stripe's are connected to.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether rows say where they come from.
    pub(crate) fn tells_provenance(&self) -> bool {
        self.provenance
    }

    /// Where the API is.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends `get`, and up to `retries` times again after a failure that may pass, until `read` takes the
    /// answer. Every attempt
    /// passes the gate; the first may have passed it already.
    pub(crate) async fn fetch<T>(
        &self,
        get: &Get,
        admission: Option<Admission>,
        retries: u32,
        read: impl Fn(&Received) -> Result<T, Unexpected>,
    ) -> Result<T, RequestError> {
        self.fetch_at(&get.path, get, admission, retries, read).await
    }

    /// Fetches as [`Client::fetch`] does where Stripe limits the request by `endpoint`, not by its path: the
    /// path names an object.
    pub(crate) async fn fetch_at<T>(
        &self,
        endpoint: &Arc<str>,
        get: &Get,
        admission: Option<Admission>,
        retries: u32,
        read: impl Fn(&Received) -> Result<T, Unexpected>,
    ) -> Result<T, RequestError> {
        let target = Target { method: Method::GET, path: &get.path, endpoint };
        self.repeat(&target, admission, retries, || self.http.get(self.url(get)), read).await
    }

    /// Makes a change, and up to `retries` times again after a failure that may pass. All attempts are one change:
    /// Stripe knows by a key that they are the same, and deletes only once.
    pub(crate) async fn change<T>(
        &self,
        change: &Change,
        retries: u32,
        read: impl Fn(&Received) -> Result<T, Unexpected>,
    ) -> Result<T, RequestError> {
        let target = Target { method: change.method.clone(), path: &change.path, endpoint: &change.endpoint };
        let key = format!("{:032x}", rand::random::<u128>());
        let url = self.url(&Get { path: Arc::clone(&change.path), query: Vec::new() });
        let request = || {
            let mut request = self.http.request(change.method.clone(), url.clone());
            if change.method == Method::POST {
                request = request.header("idempotency-key", &key).form(&change.form);
            }
            change.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
        };
        self.repeat(&target, None, retries, request, read).await
    }

    async fn repeat<T>(
        &self,
        target: &Target<'_>,
        mut admission: Option<Admission>,
        retries: u32,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(&Received) -> Result<T, Unexpected>,
    ) -> Result<T, RequestError> {
        let Target { method, path, endpoint } = target;
        let mut attempt = 1;
        loop {
            let admitted = match admission.take() {
                Some(admitted) => admitted,
                None => self.gate.admit(endpoint).await,
            };
            let failed = match self.send(target, request(), admitted).await {
                Ok(received) => match read(&received) {
                    Ok(read) => return Ok(read),
                    Err(unexpected) => Attempt {
                        error: RequestError::NoAnswer(format!(
                            "{method} {path} answered 200, but {}. Something between here and Stripe may have answered \
                             in its place",
                            unexpected.0
                        )),
                        failure: Failure::Unexpected,
                        retry_after: None,
                    },
                },
                Err(failed) => failed,
            };
            match retry::delay(failed.failure, attempt, retries, failed.retry_after, rand::random()) {
                Some(pause) => {
                    tracing::debug!(%method, %path, attempt, of = retries, ?pause, error = %failed.error, "repeating a request");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                None => return Err(failed.error),
            }
        }
    }

    /// One attempt, as a span of the trace.
    async fn send(
        &self,
        target: &Target<'_>,
        request: RequestBuilder,
        admission: Admission,
    ) -> Result<Received, Attempt> {
        let Target { method, endpoint, .. } = target;
        let span = tracing::info_span!(
            target: TRACE,
            "stripe",
            otel.name = format!("{method} {endpoint}"),
            otel.kind = "client",
            http.request.method = %method,
            http.response.status_code = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let span = if span.is_disabled() { Span::current() } else { span };
        self.ask(target, request, admission).instrument(span).await
    }

    async fn ask(
        &self,
        target: &Target<'_>,
        request: RequestBuilder,
        admission: Admission,
    ) -> Result<Received, Attempt> {
        let unanswered = |error: reqwest::Error| Attempt {
            error: RequestError::NoAnswer(self.describe(target, &error.without_url())),
            failure: Failure::Network,
            retry_after: None,
        };
        let sent = Instant::now();
        let request = match &self.behalf {
            Some(Behalf { header, account }) => request.header(header, account),
            None => request,
        };
        let response = request.send().await.map_err(unanswered)?;
        let status = response.status().as_u16();
        Span::current().record("http.response.status_code", status);
        if status >= 400 {
            Span::current().record("otel.status_code", "ERROR");
        }
        let headers = response.headers().clone();
        let local = jiff::Timestamp::now().as_second();
        let date = header(&headers, DATE.as_str()).and_then(http_date);
        let date = self.clock.answered(date, local);
        let as_of = as_of(date, sent.elapsed());
        let retry_after = header(&headers, RETRY_AFTER.as_str())
            .and_then(|seconds| seconds.parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let body = response.bytes().await;
        if status == 429 {
            let reason = header(&headers, "stripe-rate-limited-reason");
            admission.end(Answer::Limited { reason, retry_after });
        } else {
            admission.end(Answer::Other);
        }
        let body = body.map_err(unanswered)?;
        if status == 200 {
            let request = header(&headers, "request-id").unwrap_or("without an id");
            let name = self.provenance.then(|| format!("{} {request}", target.endpoint));
            return Ok(Received { body, as_of, name });
        }
        let should_retry = match header(&headers, "stripe-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let error = ApiError::read_of(target.method.as_str(), target.path, status, &headers, &body);
        // What is said of a path below is about the account that the path names.
        if self.behalf.is_some() && error.refuses_account() && !target.path.starts_with(ACCOUNTS) {
            self.lost.send_replace(Some(error.to_string()));
        }
        Err(Attempt {
            error: RequestError::Api(error.answered(as_of)),
            failure: Failure::Status { status, should_retry },
            retry_after,
        })
    }

    fn url(&self, get: &Get) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), get.path));
        if !get.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&get.query);
        }
        url
    }

    fn describe(&self, target: &Target<'_>, error: &reqwest::Error) -> String {
        let Target { method, path, .. } = target;
        let host = match (self.base.host_str(), self.base.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or("the API").to_owned(),
        };
        let way =
            self.proxy.as_ref().map(|proxy| format!(" by way of the proxy {proxy}")).unwrap_or_default();
        let causes = with_causes(error);
        if error.is_connect() {
            format!("cannot reach {host}{way}: {causes} [{method} {path}]")
        } else if error.is_timeout() {
            format!("{host} did not answer in time{way}: {causes} [{method} {path}]")
        } else {
            format!("the connection to {host}{way} broke: {causes} [{method} {path}]")
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// A time such as `Mon, 23 Nov 2026 19:18:30 GMT`, in unix seconds.
fn http_date(text: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:01:40 GMT"), Some(100));
        assert_eq!(http_date("yesterday"), None);
    }
}
