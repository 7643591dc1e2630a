//! A source that plays what a test wrote, and what the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::echo::{EchoDestination, EchoSource};
use engine::{Engine, EngineError, EngineStream, Registry};
use futures::StreamExt;
use protocol::{
    ConnectionStatus, ConnectorConfig, ConnectorError, Eof, EofPayload, InputStream, Message, MessageStream,
    Payload, PipelineConfig, RawJson, ReadRequest, Source,
};
use serde_json::{Map, Value, json};

/// One step of a script.
#[derive(Clone)]
pub(crate) enum Cue {
    Say(Value),
    Fail(&'static str),
    /// Says nothing more, and does not end.
    Hang,
}

/// Emits its cues, and counts how many were pulled.
#[derive(Clone)]
pub(crate) struct Script {
    streams: Vec<Value>,
    cues: Vec<Cue>,
    pub(crate) pulled: Arc<AtomicUsize>,
    pub(crate) reads: Arc<std::sync::Mutex<Vec<Value>>>,
}

impl Script {
    pub(crate) fn new(streams: &[&str], cues: Vec<Cue>) -> Script {
        let streams = streams
            .iter()
            .map(|name| json!({"name": name, "primary_key": [["id"]], "newer_than_field": "_updated_at"}))
            .collect();
        Script::offering(streams, cues)
    }

    pub(crate) fn offering(streams: Vec<Value>, cues: Vec<Cue>) -> Script {
        Script { streams, cues, pulled: Arc::default(), reads: Arc::default() }
    }

    pub(crate) fn saying(streams: &[&str], messages: Vec<Value>) -> Script {
        Script::new(streams, messages.into_iter().map(Cue::Say).collect())
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(Registry::new().with_source(self.clone()).with_destination(EchoDestination))
    }
}

impl Source for Script {
    type Config = Map<String, Value>;

    fn name(&self) -> &'static str {
        "script"
    }

    fn check(&self, _: Self::Config) -> MessageStream {
        protocol::once(async { Ok(Message::connection_status(ConnectionStatus::failed("no such thing"))) })
    }

    fn discover(&self, _: Self::Config) -> MessageStream {
        let catalog = said(json!({"type": "catalog", "catalog": {"streams": self.streams}}));
        protocol::once(async { Ok(catalog) })
    }

    fn read(&self, _: Self::Config, request: ReadRequest) -> MessageStream {
        let state = request.state.map(|state| serde_json::to_value(state).unwrap());
        let catalog = serde_json::to_value(&request.catalog).unwrap();
        self.reads.lock().unwrap().push(json!({"catalog": catalog, "state": state}));
        let (cues, pulled) = (self.cues.clone(), Arc::clone(&self.pulled));
        Box::pin(async_stream::stream! {
            for cue in cues {
                pulled.fetch_add(1, Ordering::SeqCst);
                match cue {
                    Cue::Say(message) => yield Ok(said(message)),
                    Cue::Fail(text) => yield Err(ConnectorError::internal(text)),
                    Cue::Hang => std::future::pending().await,
                }
            }
        })
    }
}

pub(crate) fn scripted() -> PipelineConfig {
    PipelineConfig {
        source: ConnectorConfig::new("script", Map::new()),
        destination: ConnectorConfig::new("test", Map::new()),
        streams: None,
        transforms: None,
    }
}

pub(crate) fn echo() -> Engine {
    Engine::new(Registry::new().with_source(EchoSource).with_destination(EchoDestination))
}

pub(crate) fn echoing(source: &Value) -> PipelineConfig {
    let source = source.as_object().cloned().unwrap();
    PipelineConfig { source: ConnectorConfig::new("test", source), ..scripted() }
}

pub(crate) fn input(messages: Vec<Value>) -> InputStream {
    futures::stream::iter(messages.into_iter().map(|message| Ok(RawJson::from_value(&message).unwrap())))
        .boxed()
}

pub(crate) fn said(message: Value) -> Message {
    serde_json::from_value(message).unwrap()
}

pub(crate) fn record(stream: &str, id: &str) -> Value {
    json!({"type": "record", "record": {
        "stream": stream, "data": {"id": id}, "emitted_at": "2026-01-01T00:00:00.000Z"}})
}

pub(crate) fn state(stream: &str, data: i64) -> Value {
    json!({"type": "source_state",
           "source_state": {"state_type": "stream", "stream": stream, "data": data}})
}

pub(crate) fn status(stream: &str, status: &str) -> Value {
    json!({"type": "stream_status", "stream_status": {
        "stream": stream, "status": status, "error": "broken", "reason": "not for you"}})
}

/// All that a stream says, and the error it ends with.
pub(crate) async fn heard(mut messages: EngineStream) -> (Vec<Message>, Option<EngineError>) {
    let mut heard = Vec::new();
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => heard.push(message),
            Err(error) => return (heard, Some(error)),
        }
    }
    (heard, None)
}

pub(crate) fn kinds(messages: &[Message]) -> Vec<&'static str> {
    messages.iter().map(|message| message.payload.type_name()).collect()
}

/// The `eof`, which must be the last message.
pub(crate) fn eof(messages: &[Message]) -> &EofPayload {
    match &messages.last().unwrap().payload {
        Payload::Eof(Eof::Sync(eof)) => eof,
        other => panic!("not an eof of a sync: {other:?}"),
    }
}
