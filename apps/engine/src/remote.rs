//! An engine that runs elsewhere: a client of the HTTP API with the interface of [`crate::Engine`].
//!
//! What is pushed or written streams to it as lines, and what it says streams back, pulled by whoever listens.
//! Dropping an answer ends the request, and with it the work.

use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, StatusCode};
use http_api::REQUEST_ID;
use protocol::{
    ConnectorConfig, ConnectorError, EofPayload, InputStream, Message, NdjsonReader, Payload, PipelineConfig,
    RawJson, with_causes,
};
use reqwest::{Body, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::io::StreamReader;

pub use crate::remote_failures::Failed;

use crate::{
    EngineError, EngineStream, PipelineRead, PipelineSync, PipelineSyncBatch, Reconcile, Role, Setup, Side,
};

pub(crate) const RECONCILE: &str = "/pipeline_reconcile";

const LINES: &str = "application/x-ndjson";

/// Runs pipelines on a server. Cloning it shares the connections.
#[derive(Clone)]
pub struct RemoteEngine {
    client: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

impl RemoteEngine {
    /// The engine at this address, such as `http://127.0.0.1:3000`. TLS needs a provider of `rustls` to be installed.
    pub fn new(url: &str, token: Option<SecretString>) -> Result<RemoteEngine, EngineError> {
        let refused = |error: &dyn std::error::Error| {
            EngineError::Request(format!("`{url}` is no address of an engine: {error}"))
        };
        let parsed = url::Url::parse(url).map_err(|error| refused(&error))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(EngineError::Request(format!("`{url}` must begin with http:// or https://")));
        }
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build();
        let client = client.map_err(|error| refused(&error))?;
        Ok(RemoteEngine { client, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// See [`crate::Engine::source_discover`].
    pub fn source_discover(&self, source: &ConnectorConfig) -> EngineStream {
        self.stream("/source_discover", &Fields::default().with("source", source), None)
    }

    /// See [`crate::Engine::pipeline_check`].
    pub fn pipeline_check(&self, pipeline: &PipelineConfig, side: Side) -> EngineStream {
        self.stream("/pipeline_check", &Fields::of(pipeline).side(side), None)
    }

    /// See [`crate::Engine::pipeline_setup`]. What is discovered already does not travel.
    pub fn pipeline_setup(&self, request: &Setup) -> EngineStream {
        self.stream("/pipeline_setup", &Fields::of(&request.pipeline).side(request.side), None)
    }

    /// See [`crate::Engine::pipeline_teardown`].
    pub fn pipeline_teardown(&self, pipeline: &PipelineConfig, side: Side) -> EngineStream {
        self.stream("/pipeline_teardown", &Fields::of(pipeline).side(side), None)
    }

    /// See [`crate::Engine::pipeline_read`].
    pub fn pipeline_read(&self, request: PipelineRead) -> EngineStream {
        let fields = Fields::of(&request.pipeline).maybe("state", request.state.as_ref());
        let fields = fields.seconds("time_limit", request.limits.hard);
        let fields = fields.seconds("soft_time_limit", request.limits.soft);
        self.stream("/pipeline_read", &fields, request.input.map(pushed))
    }

    /// See [`crate::Engine::pipeline_write`].
    pub fn pipeline_write(
        &self,
        pipeline: &PipelineConfig,
        messages: impl Stream<Item = Result<Message, ConnectorError>> + Send + 'static,
    ) -> EngineStream {
        let lines = messages.map(|message| {
            let mut line = Vec::new();
            protocol::encode_line(&message?, &mut line)
                .map_err(|error| ConnectorError::internal(format!("a message cannot be written: {error}")))?;
            Ok(Bytes::from(line))
        });
        self.stream("/pipeline_write", &Fields::of(pipeline), Some(lines.boxed()))
    }

    /// See [`crate::Engine::pipeline_sync_stored`].
    pub fn pipeline_sync(&self, request: PipelineSync) -> EngineStream {
        let fields = Fields::of(&request.pipeline).maybe("state", request.state.as_ref());
        let fields =
            fields.maybe("run_id", request.run_id.as_ref()).maybe("sync_id", request.sync_id.as_ref());
        let fields = fields.seconds("time_limit", request.limits.hard);
        let fields = fields.seconds("soft_time_limit", request.limits.soft);
        self.stream("/pipeline_sync", &fields, request.input.map(pushed))
    }

    /// See [`crate::Engine::pipeline_reconcile`].
    pub fn pipeline_reconcile(&self, request: &Reconcile) -> EngineStream {
        let fields = Fields::of(&request.pipeline).maybe("sync_id", request.sync_id.as_ref());
        let fields = fields.maybe("since", request.since.as_ref()).with("repair", &request.repair);
        let fields = fields.maybe("max_requests", request.max_requests.as_ref());
        self.stream(RECONCILE, &fields.seconds("time_limit", request.limit), None)
    }

    /// See [`crate::Engine::pipeline_sync_batch`].
    pub async fn pipeline_sync_batch(&self, request: PipelineSyncBatch) -> Result<EofPayload, EngineError> {
        let fields = Fields::of(&request.pipeline).maybe("state", request.state.as_ref());
        let fields = fields.maybe("run_id", request.run_id.as_ref());
        let fields = fields.with("state_limit", &request.state_limit);
        let path = "/pipeline_sync_batch";
        let response = self.send(path, self.client.post(self.at(path)).json(&fields.0)).await?;
        read_json(path, response).await
    }

    /// The sources or destinations that the server knows: `{"items": [{"type", "config_schema"}]}`.
    pub async fn connectors(&self, role: Role) -> Result<Value, EngineError> {
        let path = match role {
            Role::Source => "/meta/sources",
            Role::Destination => "/meta/destinations",
        };
        let response = self.send(path, self.client.get(self.at(path))).await?;
        read_json(path, response).await
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.url
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sends any request of the API; its address is a path with a query. Whatever the engine answers is answered, also
    /// its refusals. Fails where nobody answers, or somebody who is no engine.
    pub async fn call<B: Into<Body>>(
        &self,
        request: http::Request<B>,
    ) -> Result<http::Response<Answered>, EngineError> {
        let (head, body) = request.into_parts();
        let asked = self.client.request(head.method, self.at(&head.uri.to_string()));
        let response = self.ask(head.uri.path(), asked.headers(head.headers).body(body)).await?;
        let mut answer = http::Response::new(());
        *answer.status_mut() = response.status();
        answer.headers_mut().clone_from(response.headers());
        Ok(answer.map(|()| response.bytes_stream().map_err(std::io::Error::other).boxed()))
    }

    /// What an engine answers, whatever it is.
    async fn ask(&self, path: &str, request: RequestBuilder) -> Result<Response, EngineError> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let response = request.send().await.map_err(|error| unreachable(path, &error))?;
        if is_engine(response.headers()) {
            return Ok(response);
        }
        let status = response.status();
        let text = beginning(&response.text().await.unwrap_or_default());
        let url = &self.url;
        Err(EngineError::NoEngine(format!(
            "Engine {path}: {url} is no sync engine; it answers {status}: {text}"
        )))
    }

    async fn send(&self, path: &str, request: RequestBuilder) -> Result<Response, EngineError> {
        let response = self.ask(path, request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let text = format!("Engine {path} failed ({}): {text}", status.as_u16());
        Err(match status {
            StatusCode::UNAUTHORIZED => EngineError::Denied(text),
            StatusCode::BAD_REQUEST => EngineError::Request(text),
            StatusCode::NOT_FOUND => EngineError::Outdated(format!(
                "{text}: the engine at {} is older than this program and cannot do that; update it",
                self.url
            )),
            _ => EngineError::Remote(text),
        })
    }

    fn stream(&self, path: &'static str, fields: &Fields, lines: Option<Sent>) -> EngineStream {
        let request = self.client.post(self.at(path));
        let request = match lines {
            None => request.json(&fields.0),
            Some(lines) => {
                let first = format!("{}\n", Value::Object(fields.0.clone()));
                let first = stream::once(std::future::ready(Ok(Bytes::from(first))));
                request.header("content-type", LINES).body(Body::wrap_stream(first.chain(lines)))
            }
        };
        let engine = self.clone();
        Box::pin(try_stream! {
            let response = engine.send(path, request).await?;
            let bytes = response.bytes_stream().map_err(std::io::Error::other);
            let mut messages = NdjsonReader::new(StreamReader::new(bytes));
            let broken = |error: protocol::NdjsonError| EngineError::Remote(match error {
                protocol::NdjsonError::Io { source, .. } => {
                    format!("Engine {path}: the answer broke off: {}", with_causes(&source))
                }
                other => format!("Engine {path}: {other}"),
            });
            while let Some(message) = messages.next_message().await.map_err(broken)? {
                yield message;
            }
        })
    }
}

type Sent = stream::BoxStream<'static, Result<Bytes, ConnectorError>>;

/// The body of an answer, as it comes.
pub type Answered = stream::BoxStream<'static, std::io::Result<Bytes>>;

/// Every answer of an engine names its request.
fn is_engine(headers: &HeaderMap) -> bool {
    headers.contains_key(REQUEST_ID)
}

/// So many characters of an answer that is not understood are shown.
const SHOWN: usize = 200;

/// What a text begins with, on one line.
fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What is pushed, as lines. Whatever it is, it reaches the source as it is.
fn pushed(input: InputStream) -> Sent {
    let line = |pushed: RawJson| {
        let mut line = Vec::new();
        let message = Message::from(Payload::SourceInput(pushed));
        protocol::encode_line(&message, &mut line)
            .map_err(|error| ConnectorError::internal(format!("an input cannot be written: {error}")))?;
        Ok(Bytes::from(line))
    };
    input.map(move |pushed| pushed.and_then(line)).boxed()
}

async fn read_json<T: serde::de::DeserializeOwned>(path: &str, response: Response) -> Result<T, EngineError> {
    let bytes = response.bytes().await.map_err(|error| unreachable(path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        EngineError::Remote(format!("Engine {path} answered what is not understood: {error}"))
    })
}

fn unreachable(path: &str, error: &reqwest::Error) -> EngineError {
    let nobody = error.is_connect() || error.is_timeout();
    let text = format!("Engine {path} cannot be asked: {}", with_causes(error));
    if nobody { EngineError::NoEngine(text) } else { EngineError::Remote(text) }
}

/// The members of a body.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn of(pipeline: &PipelineConfig) -> Fields {
        Fields::default().with("pipeline", pipeline)
    }

    fn with(mut self, name: &str, value: &impl Serialize) -> Fields {
        // What is serialised here is plain JSON of ours.
        self.0.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    fn maybe(self, name: &str, value: Option<&impl Serialize>) -> Fields {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn seconds(self, name: &str, limit: Option<Duration>) -> Fields {
        self.maybe(name, limit.map(|limit| limit.as_secs_f64()).as_ref())
    }

    fn side(self, side: Side) -> Fields {
        match side {
            Side::Both => self,
            Side::Only(role) => self.with("only", &role.to_string()),
        }
    }
}
