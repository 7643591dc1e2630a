//! A source of sync-engine in one file: the lines of a file are its rows. Rows are appended, so the state is how many were read.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use protocol::{
    CatalogMessage, ConnectionStatus, ConnectorError, ErrorKind, Message, MessageStream, Payload, RawJson,
    ReadRequest, Record, Source, Stream, StreamStatus, Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

const STREAM: &str = "notes";

/// How it is configured; its doc comments are the schema's descriptions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The file whose lines are read.
    path: PathBuf,
}

/// Where a stream stands: what was emitted, never what is on its way.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    lines: u64,
}

struct Notes;

impl Source for Notes {
    type Config = Config;

    fn name(&self) -> &'static str {
        STREAM
    }

    fn check(&self, config: Config) -> MessageStream {
        protocol::once(async move {
            Ok(Message::connection_status(match File::open(&config.path).await {
                Ok(_) => ConnectionStatus::succeeded(),
                Err(error) => ConnectionStatus::failed(format!("`path`: {}: {error}", config.path.display())),
            }))
        })
    }

    fn discover(&self, _: Config) -> MessageStream {
        protocol::once(async { Ok(Payload::Catalog(CatalogMessage { streams: vec![stream()] }).into()) })
    }

    fn read(&self, config: Config, request: ReadRequest) -> MessageStream {
        Box::pin(async_stream::try_stream! {
            if request.catalog.stream(STREAM).is_none() {
                return;
            }
            let name: Arc<str> = STREAM.into();
            let state = request.state.unwrap_or_default();
            let Position { lines: done } = match state.streams.get(STREAM) {
                Some(state) => state.read().map_err(|error| failed("the state is not one of mine", error))?,
                None => Position::default(),
            };
            yield Message::stream_status(&name, StreamStatus::Start { time_range: None, reason: None });
            // A record shows at least what was there when the reading began, so that is its version.
            let began = Timestamp::now();
            let file = File::open(&config.path).await.map_err(|error| failed("`path` cannot be read", error))?;
            let mut file = BufReader::new(file);
            let mut text = String::new();
            for line in 1_u64.. {
                text.clear();
                file.read_line(&mut text).await.map_err(|error| failed("`path` cannot be read", error))?;
                // At the end, or still being written.
                let Some(text) = text.strip_suffix('\n') else { break };
                if line <= done {
                    continue;
                }
                let data = json(&json!({"line": line, "text": text, "read_at": began.unix_seconds()}))?;
                let stream = Arc::clone(&name);
                yield Payload::Record(Record { stream, data, deleted: false, emitted_at: Timestamp::now() }).into();
                yield Message::stream_state(&name, json(&Position { lines: line })?);
            }
            yield Message::stream_status(&name, StreamStatus::Complete);
        })
    }
}

fn stream() -> Stream {
    let schema = json!({"type": "object", "properties": {
        "line": {"type": "integer"}, "text": {"type": "string"}, "read_at": {"type": "integer"},
    }});
    Stream {
        name: STREAM.into(),
        primary_key: vec![vec!["line".to_owned()]],
        newer_than_field: "read_at".to_owned(),
        json_schema: schema.as_object().cloned(),
        metadata: None,
        soft_delete_field: None,
    }
}

fn json(value: &impl Serialize) -> Result<RawJson, ConnectorError> {
    RawJson::from_value(value).map_err(|error| failed("a message cannot be written", error))
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::new(ErrorKind::Permanent, what).caused_by(error)
}

#[tokio::main]
async fn main() -> ExitCode {
    protocol::program::run_source(&Notes, std::env::args_os()).await
}
