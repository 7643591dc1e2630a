//! The HTTP edge: one GET, its answer, and its repetitions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::ConnectorError;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use url::Url;

use crate::config::Access;
use crate::failure::{ApiError, RequestError, with_causes};
use crate::limit::{Admission, Answer, Gate};
use crate::page::Unexpected;
use crate::proxy::ProxyRules;
use crate::retry::{self, Failure};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A body that stands still for so long is not coming.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks one Stripe account.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    /// The proxy on the way, by name.
    proxy: Option<String>,
    gate: Arc<Gate>,
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

/// An answer 200.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: Bytes,
    /// When Stripe answered, in unix seconds, by its clock.
    pub(crate) date: i64,
}

/// One attempt that failed.
struct Attempt {
    error: RequestError,
    failure: Failure,
    retry_after: Option<Duration>,
}

impl Client {
    /// A client for the account that `access` opens; each request takes at most `timeout`.
    pub(crate) fn new(
        access: &Access,
        gate: Arc<Gate>,
        timeout: Duration,
        proxies: &ProxyRules,
    ) -> Result<Client, ConnectorError> {
        // Fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", access.api_key.expose_secret()))
            .map_err(|_| ConnectorError::config("api_key holds characters that no key has"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        let version = HeaderValue::try_from(access.api_version.as_str())
            .map_err(|_| ConnectorError::config("api_version holds characters that no version has"))?;
        headers.insert(HeaderName::from_static("stripe-version"), version);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("sync-engine/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(IDLE_TIMEOUT.min(timeout))
            .timeout(timeout)
            // Those of the environment are none of ours: the rules were passed in.
            .no_proxy();
        let proxy = proxies.proxy_for(&access.base_url);
        if let Some(proxy) = proxy {
            let way = reqwest::Proxy::all(proxy.address()).map_err(|error| {
                ConnectorError::config(format!(
                    "the proxy {} cannot be used: {}",
                    proxy.name(),
                    error.without_url()
                ))
            })?;
            builder = builder.proxy(way);
        }
        if let Some(certificate) = &access.ca_certificate {
            builder = builder.tls_certs_merge(authorities(certificate)?);
        }
        let http = builder
            .build()
            .map_err(|error| ConnectorError::internal(format!("no HTTP client: {}", with_causes(&error))))?;
        let proxy = proxy.map(|proxy| proxy.name().to_owned());
        Ok(Client { http, base: access.base_url.clone(), proxy, gate })
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
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
        mut admission: Option<Admission>,
        retries: u32,
        read: impl Fn(&Received) -> Result<T, Unexpected>,
    ) -> Result<T, RequestError> {
        let mut attempt = 1;
        loop {
            let admitted = match admission.take() {
                Some(admitted) => admitted,
                None => self.gate.admit(endpoint).await,
            };
            let failed = match self.send(get, admitted).await {
                Ok(received) => match read(&received) {
                    Ok(read) => return Ok(read),
                    Err(unexpected) => Attempt {
                        error: RequestError::NoAnswer(format!(
                            "GET {} answered 200, but {}. Something between here and Stripe may have answered \
                             in its place",
                            get.path, unexpected.0
                        )),
                        failure: Failure::Unexpected,
                        retry_after: None,
                    },
                },
                Err(failed) => failed,
            };
            match retry::delay(failed.failure, attempt, retries, failed.retry_after, rand::random()) {
                Some(pause) => {
                    tracing::debug!(path = %get.path, attempt, of = retries, ?pause, error = %failed.error, "repeating a request");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                None => return Err(failed.error),
            }
        }
    }

    async fn send(&self, get: &Get, admission: Admission) -> Result<Received, Attempt> {
        let path = &*get.path;
        let unanswered = |error: reqwest::Error| Attempt {
            error: RequestError::NoAnswer(self.describe(path, &error.without_url())),
            failure: Failure::Network,
            retry_after: None,
        };
        let response = self.http.get(self.url(get)).send().await.map_err(unanswered)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
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
            let date = header(&headers, DATE.as_str()).and_then(http_date);
            return Ok(Received { body, date: date.unwrap_or_else(|| jiff::Timestamp::now().as_second()) });
        }
        let should_retry = match header(&headers, "stripe-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Err(Attempt {
            error: RequestError::Api(ApiError::read(path, status, &headers, &body)),
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

    fn describe(&self, path: &str, error: &reqwest::Error) -> String {
        let host = match (self.base.host_str(), self.base.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or("the API").to_owned(),
        };
        let way =
            self.proxy.as_ref().map(|proxy| format!(" by way of the proxy {proxy}")).unwrap_or_default();
        let causes = with_causes(error);
        if error.is_connect() {
            format!("cannot reach {host}{way}: {causes} [GET {path}]")
        } else if error.is_timeout() {
            format!("{host} did not answer in time{way}: {causes} [GET {path}]")
        } else {
            format!("the connection to {host}{way} broke: {causes} [GET {path}]")
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

/// The certificates of a configuration: PEM itself, or a file of it.
fn authorities(given: &str) -> Result<Vec<reqwest::Certificate>, ConnectorError> {
    let inline = given.contains("-----BEGIN");
    let (text, place) = if inline {
        (given.as_bytes().to_vec(), "ca_certificate".to_owned())
    } else {
        let read = std::fs::read(given);
        let place = format!("ca_certificate: the file {given}");
        (read.map_err(|error| ConnectorError::config(format!("{place} cannot be read: {error}")))?, place)
    };
    let certificates = reqwest::Certificate::from_pem_bundle(&text).map_err(|error| {
        ConnectorError::config(format!("{place} is not readable PEM: {}", with_causes(&error)))
    })?;
    if certificates.is_empty() {
        return Err(ConnectorError::config(format!(
            "{place} holds no certificate: give the authority's certificate as PEM, or the path of a file of it"
        )));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:01:40 GMT"), Some(100));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn authorities_that_cannot_be_read_are_told() {
        for (given, expected) in [
            ("/nowhere/ca.pem", "ca_certificate: the file /nowhere/ca.pem cannot be read"),
            ("Cargo.toml", "ca_certificate: the file Cargo.toml holds no certificate"),
            ("-----BEGIN NOTHING-----", "ca_certificate is not readable PEM"),
        ] {
            let error = authorities(given).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
