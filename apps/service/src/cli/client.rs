//! The one way to the API: a running service, or the routes of this process.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use service::api::{ApiOptions, router};
use service::guard::Guard;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::args::{PlaceArgs, RemoteArgs};
use super::failure::Failure;
use super::{opening, serve, signals};

/// Where the API is.
pub(super) enum Client {
    /// A service that runs already.
    There { http: reqwest::Client, url: String, token: Option<SecretString> },
    /// The routes of this process, over the data directory.
    Here { routes: Router, stop: CancellationToken },
}

/// What the API answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: stream::BoxStream<'static, std::io::Result<Bytes>>,
}

impl Client {
    /// The running service that is named, or the routes of this process.
    pub(super) async fn open(place: &PlaceArgs, remote: &RemoteArgs) -> Result<Client, Failure> {
        if let Some(url) = &remote.service_url {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::usage(format!(
                    "--service-url: `{url}` must begin with http:// or https://"
                )));
            }
            let url = url.trim_end_matches('/').to_owned();
            return Ok(Client::There {
                http: reqwest::Client::new(),
                url,
                token: remote.service_token.clone(),
            });
        }
        let service = Arc::new(Box::pin(opening::service(place)).await?);
        let stop = signals::listen()?;
        // Who can run this can do with the data directory what they like.
        let guard = Guard { any_address: true, ..Guard::default() };
        let options = ApiOptions { token_required: false, guard, build: serve::build(), stop: stop.clone() };
        Ok(Client::Here { routes: router(service, options), stop })
    }

    /// Asks, whatever the answer is.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        match self {
            Client::There { http, url, token } => {
                let mut request = http.request(method, format!("{url}{path}"));
                if let Some(token) = token {
                    request = request.bearer_auth(token.expose_secret());
                }
                if let Some(body) = body {
                    request = request.json(body);
                }
                let answered = request.send().await.map_err(|error| {
                    Failure::failed(format!(
                        "the service at {url} cannot be asked: {}\nDoes `sync-service serve` run there?",
                        protocol::with_causes(&error)
                    ))
                })?;
                let status = answered.status();
                Ok(Answer { status, body: answered.bytes_stream().map_err(std::io::Error::other).boxed() })
            }
            Client::Here { routes, .. } => {
                let mut request =
                    Request::builder().method(method).uri(path).header(header::HOST, "localhost");
                let content = match body {
                    Some(body) => {
                        let kind = HeaderValue::from_static("application/json");
                        request = request.header(header::CONTENT_TYPE, kind);
                        Body::from(body.to_string())
                    }
                    None => Body::empty(),
                };
                let request = request.body(content).map_err(|error| Failure::usage(error.to_string()))?;
                let Ok(response) = routes.clone().oneshot(request).await;
                let status = response.status();
                let body = response.into_body().into_data_stream().map_err(std::io::Error::other).boxed();
                Ok(Answer { status, body })
            }
        }
    }

    /// Asks for an answer of JSON; one that is no success is a failure, in the words of the API.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.stream(method, path, body).await?;
        let bytes = collect(answer.body).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::failed(format!("the answer is no JSON: {error}")))
    }

    /// Asks for an answer that streams; one that is no success is a failure.
    pub(super) async fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let answer = self.ask(method, path, body).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let status = answer.status;
        let bytes = collect(answer.body).await?;
        Err(Failure::failed(refusal(status, &bytes)))
    }

    /// Whether a signal came.
    pub(super) fn stopped(&self) -> bool {
        match self {
            Client::There { .. } => false,
            Client::Here { stop, .. } => stop.is_cancelled(),
        }
    }
}

async fn collect(mut body: stream::BoxStream<'static, std::io::Result<Bytes>>) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| Failure::failed(format!("the answer broke off: {error}")))?;
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

/// What the API says is wrong, as a sentence for each thing.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let error = serde_json::from_slice::<Value>(body).ok().map(|mut body| body["error"].take());
    match error {
        Some(Value::String(text)) => text,
        Some(Value::Array(issues)) => {
            let told = |issue: &Value| {
                let steps = issue["path"].as_array().map(Vec::as_slice).unwrap_or_default();
                let steps: Vec<String> = steps
                    .iter()
                    .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
                    .collect();
                let message = issue["message"].as_str().unwrap_or_default();
                if steps.is_empty() { message.to_owned() } else { format!("{}: {message}", steps.join(".")) }
            };
            issues.iter().map(told).collect::<Vec<_>>().join("\n       ")
        }
        _ => format!("the service answered {status}: {}", String::from_utf8_lossy(body).trim()),
    }
}
