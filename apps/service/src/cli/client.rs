//! The one way to the API: a running service, or the routes of this process.

use std::sync::Arc;

use axum::Router;
use engine::program::{answer, build, sent};
use futures::{StreamExt, TryStreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use openapi_cli::{ByteStream, RequestBody};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use service::api::{ApiOptions, router};
use service::guard::Guard;
use terminal::failure::Failure;
use terminal::interrupt::Interrupt;

use super::args::{PlaceArgs, RemoteArgs};
use super::opening;
use super::voice::Voice;

/// Where the API is.
enum Place {
    /// A service that runs already.
    There { http: reqwest::Client, url: String, token: Option<SecretString> },
    /// The routes of this process, over the data directory.
    Here(Router),
}

/// The API, wherever it is.
pub(super) struct Client {
    place: Place,
    interrupt: Interrupt,
}

/// What the API answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: ByteStream,
    etag: Option<HeaderValue>,
}

impl Answer {
    /// The same, unless it is no success: that is a failure, in the words of the API.
    async fn successful(self) -> Result<Answer, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let bytes = collect(self.body).await?;
        let advice = match self.status {
            StatusCode::UNAUTHORIZED => {
                "\nGive a token of the service: SERVICE_TOKEN in the environment, or --service-token."
            }
            StatusCode::PRECONDITION_FAILED => {
                "\nNothing was changed. Look at it with `sync-service pipelines get`, then give the command again."
            }
            _ => "",
        };
        let text = format!("{}{advice}", refusal(self.status, &bytes));
        Err(if is_misuse(self.status, &bytes) { Failure::usage(text) } else { Failure::failed(text) })
    }

    /// Its body, which is to be JSON.
    async fn json(self) -> Result<Value, Failure> {
        let bytes = collect(self.body).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::failed(format!("the answer is no JSON: {error}")))
    }
}

impl Client {
    /// The running service that is named, or the routes of this process.
    pub(super) async fn open(
        place: &PlaceArgs,
        remote: &RemoteArgs,
        voice: &Voice,
    ) -> Result<Client, Failure> {
        if let Some(url) = remote.service_url.as_deref().filter(|url| !url.is_empty()) {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Failure::usage(format!(
                    "--service-url: `{url}` must begin with http:// or https://"
                )));
            }
            let url = url.trim_end_matches('/').to_owned();
            let token = remote.service_token.clone();
            let place = Place::There { http: reqwest::Client::new(), url, token };
            return Ok(Client { place, interrupt: voice.interrupt()? });
        }
        // Who can run this can do with the data directory what they like.
        let guard = Guard { any_address: true, ..Guard::default() };
        let service = Arc::new(Box::pin(opening::service(place, guard.clone())).await?);
        let interrupt = voice.interrupt()?;
        let stop = interrupt.token();
        let options = ApiOptions { token_required: false, guard, build: build(opening::variable), stop };
        Ok(Client { place: Place::Here(router(service, options)), interrupt })
    }

    /// Whether the routes are in this process.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.place, Place::Here(_))
    }

    /// Sends a request, whose address is a path with a query. Everything that is asked goes through here.
    pub(super) async fn call(&self, request: Request<RequestBody>) -> Result<Response<ByteStream>, Failure> {
        let (http, url, token) = match &self.place {
            Place::Here(routes) => return Ok(answer(routes.clone(), request).await),
            Place::There { http, url, token } => (http, url, token),
        };
        let (head, body) = request.map(sent).into_parts();
        let mut asked =
            http.request(head.method, format!("{url}{}", head.uri)).headers(head.headers).body(body);
        if let Some(token) = token {
            asked = asked.bearer_auth(token.expose_secret());
        }
        let answered = asked.send().await.map_err(|error| {
            Failure::failed(format!(
                "the service at {url} cannot be asked: {}\nDoes `sync-service serve` run there?",
                protocol::with_causes(&error)
            ))
        })?;
        let mut response = Response::new(());
        *response.status_mut() = answered.status();
        *response.headers_mut() = answered.headers().clone();
        Ok(response.map(|()| answered.bytes_stream().map_err(std::io::Error::other).boxed()))
    }

    /// Asks, whatever the answer is.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<HeaderValue>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(tag) = if_match {
            request = request.header(header::IF_MATCH, tag);
        }
        let content = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                RequestBody::Bytes(body.to_string().into())
            }
            None => RequestBody::Empty,
        };
        let request = request.body(content).map_err(|error| Failure::usage(error.to_string()))?;
        let response = self.call(request).await?;
        let etag = response.headers().get(header::ETAG).cloned();
        Ok(Answer { status: response.status(), etag, body: response.into_body() })
    }

    /// Asks for an answer of JSON; one that is no success is a failure, in the words of the API.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.stream(method, path, body).await?.json().await
    }

    /// What is at `path`, with its `ETag`.
    pub(super) async fn tagged(&self, path: &str) -> Result<(Value, Option<HeaderValue>), Failure> {
        let answer = self.stream(Method::GET, path, None).await?;
        let etag = answer.etag.clone();
        Ok((answer.json().await?, etag))
    }

    /// Changes what is at `path`; where an `ETag` is given, only if it is still what that stands for.
    pub(super) async fn patch(
        &self,
        path: &str,
        body: &Value,
        if_match: Option<HeaderValue>,
    ) -> Result<Value, Failure> {
        let answer = self.ask(Method::PATCH, path, Some(body), if_match).await?;
        answer.successful().await?.json().await
    }

    /// Asks for an answer that streams; one that is no success is a failure.
    pub(super) async fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        self.ask(method, path, body, None).await?.successful().await
    }

    /// Whether a signal came.
    pub(super) fn stopped(&self) -> bool {
        self.interrupt.happened()
    }

    /// Does the work, unless a signal comes: then it is dropped.
    pub(super) async fn unless<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.interrupt.unless(work).await
    }

    /// Does the work. Where the routes are in this process a signal ends it well; elsewhere it is dropped, by which the service
    /// learns of it.
    pub(super) async fn unless_there<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if self.is_here() { work.await } else { self.unless(work).await }
    }
}

async fn collect(mut body: ByteStream) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| Failure::failed(format!("the answer broke off: {error}")))?;
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

/// Whether the API found the request itself wrong, by its places, so that nothing was done.
fn is_misuse(status: StatusCode, body: &[u8]) -> bool {
    let error = serde_json::from_slice::<Value>(body).ok().map(|mut body| body["error"].take());
    status == StatusCode::BAD_REQUEST && matches!(error, Some(Value::Array(_)))
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
