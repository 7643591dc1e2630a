//! A server on a free port of this machine, and clients of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use engine::Engine;
use engine::api::{ApiOptions, router};
use futures::StreamExt;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The log of this process: all tests of it write there.
static LOG: OnceLock<Arc<Mutex<Vec<String>>>> = OnceLock::new();

/// A server that runs until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    client: Client,
    _end: DropGuard,
}

/// An answer, read to its end.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Served {
    pub(crate) async fn start(engine: Engine) -> Served {
        Served::with(engine, ApiOptions::default()).await
    }

    pub(crate) async fn with(engine: Engine, options: ApiOptions) -> Served {
        // Another test may have done both already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let log = LOG.get_or_init(|| {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&lines);
            let sink = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
            let logging =
                logger::Logging { level: "info".to_owned(), format: logger::Format::Protocol, sink };
            logger::install(logging).unwrap();
            lines
        });
        assert!(Arc::strong_count(log) > 1, "the log is being kept");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, end) = (options.stop.clone(), CancellationToken::new());
        let serving = http_api::serve(listener, router(engine, options), end.clone(), http_api::GRACE);
        tokio::spawn(serving);
        Served { address, stop, client: Client::new(), _end: end.drop_guard() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(self.url(path)).json(body)
    }

    /// Sends lines, the first of which is the body.
    pub(crate) fn post_lines(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url(path)).header("content-type", "application/x-ndjson").body(body)
    }

    /// What an operation that streams says, with status 200.
    pub(crate) async fn said(&self, path: &str, body: &Value) -> Vec<Value> {
        let answered = Answered::of(self.post(path, body)).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        assert_eq!(answered.kind, "application/x-ndjson");
        answered.lines()
    }
}

impl Answered {
    pub(crate) async fn of(request: RequestBuilder) -> Answered {
        Answered::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn read(response: Response) -> Answered {
        let status = response.status();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        Answered { status, kind: kind.unwrap_or_default(), text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.text.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What the log of this process says about the request with this action id.
pub(crate) fn logged(action: &str) -> Vec<String> {
    let needle = format!("\"action_id\":\"{action}\"");
    let lines = LOG.get().unwrap().lock().unwrap();
    lines.iter().filter(|line| line.contains(&needle)).cloned().collect()
}

/// Waits until the log says so; a test that waits for ever is ended by its runner.
pub(crate) async fn wait_for_log(action: &str, text: &str) {
    while !logged(action).iter().any(|line| line.contains(text)) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The next bytes of an answer.
pub(crate) async fn chunk(
    stream: &mut (impl futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
) -> String {
    String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap()
}

/// A pipeline from the source `test`, offering stream `a`, to the destination `test`.
pub(crate) fn echo_pipeline() -> Value {
    json!({"source": {"type": "test", "test": {"streams": {"a": {}}}}, "destination": {"type": "test"}})
}

/// A pipeline from a source without configuration to the destination `test`.
pub(crate) fn pipeline_of(source: &str) -> Value {
    json!({"source": {"type": source, source: {}}, "destination": {"type": "test", "test": {}}})
}

/// The types of messages.
pub(crate) fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}
