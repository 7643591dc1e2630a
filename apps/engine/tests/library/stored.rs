//! Syncs that go on from what the destination keeps, where that cannot be read.

use std::time::Duration;

use engine::echo::EchoDestinationConfig;
use engine::{Engine, PipelineRead, PipelineSync, Registry, TimeLimits};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{
    ConnectorConfig, ConnectorError, Destination, Eof, MessageStream, Payload, PipelineConfig, RunStatus,
    Source, StateStore, WriteRequest,
};
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use crate::script::{Script, eof, heard, kinds, scripted, status};

/// A destination whose states cannot be read: it says so, or never answers.
struct Shut {
    answers: bool,
}

impl Destination for Shut {
    type Config = EchoDestinationConfig;

    fn name(&self) -> &'static str {
        "shut"
    }

    fn check(&self, _: EchoDestinationConfig) -> MessageStream {
        protocol::empty_stream()
    }

    fn write(&self, _: EchoDestinationConfig, request: WriteRequest) -> MessageStream {
        request.input
    }

    fn state_store(
        &self,
        _: EchoDestinationConfig,
        _: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let refused = || Err(ConnectorError::internal("nobody is there"));
        Some(if self.answers { async move { refused() }.boxed() } else { futures::future::pending().boxed() })
    }
}

fn engine(answers: bool) -> Engine {
    let script = Script::saying(&["a"], vec![status("a", "complete")]);
    Engine::new(Registry::new().with_source(script).with_destination(Shut { answers }))
}

fn request(limits: TimeLimits) -> PipelineSync {
    let destination = ConnectorConfig::new("shut", Map::new());
    let pipeline = PipelineConfig { destination, ..scripted() };
    PipelineSync { sync_id: Some("mine".to_owned()), limits, ..PipelineSync::new(pipeline) }
}

#[tokio::test]
async fn the_end_is_told_before_the_error() {
    let (messages, error) = heard(engine(true).pipeline_sync_stored(request(TimeLimits::default()))).await;
    assert_eq!(error.unwrap().to_string(), "nobody is there");
    assert_eq!(kinds(&messages), ["eof"]);
    assert_eq!((eof(&messages).status, eof(&messages).has_more), (RunStatus::Failed, false));
    assert_eq!(eof(&messages).ending_state, None, "a client that sends it back would begin anew");
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_holds_and_a_stop_ends_it() {
    let limits = TimeLimits { hard: Some(Duration::from_secs(3)), soft: None };
    let started = tokio::time::Instant::now();
    let (messages, error) = heard(engine(false).pipeline_sync_stored(request(limits))).await;
    assert!(error.is_none());
    assert_eq!(started.elapsed().as_secs(), 3);
    assert!(eof(&messages).has_more);
    assert_eq!(eof(&messages).ending_state, None);

    let stopped = request(TimeLimits::default());
    stopped.stop.cancel();
    let (messages, error) = heard(engine(false).pipeline_sync_stored(stopped)).await;
    assert!(error.is_none() && eof(&messages).has_more);
}

/// A source that never says what it offers.
struct Mute;

impl Source for Mute {
    type Config = EchoDestinationConfig;

    fn name(&self) -> &'static str {
        "script"
    }

    fn check(&self, _: EchoDestinationConfig) -> MessageStream {
        protocol::empty_stream()
    }

    fn discover(&self, _: EchoDestinationConfig) -> MessageStream {
        Box::pin(futures::stream::pending())
    }

    fn read(&self, _: EchoDestinationConfig, _: protocol::ReadRequest) -> MessageStream {
        protocol::empty_stream()
    }
}

#[tokio::test]
async fn a_stop_ends_what_has_not_begun() {
    let engine = Engine::new(Registry::new().with_source(Mute).with_destination(Shut { answers: true }));
    let stop = CancellationToken::new();
    stop.cancel();
    let pipeline = request(TimeLimits::default()).pipeline;
    let sync = PipelineSync { stop: stop.clone(), ..PipelineSync::new(pipeline.clone()) };
    let (messages, error) = heard(engine.pipeline_sync(sync)).await;
    assert!(error.is_none() && eof(&messages).has_more);
    assert!(eof(&messages).ending_state.is_some(), "the client gave the position");
    let read = PipelineRead { stop, ..PipelineRead::new(pipeline) };
    let (messages, error) = heard(engine.pipeline_read(read)).await;
    assert!(error.is_none());
    assert!(
        matches!(messages[..], [ref end] if matches!(end.payload, Payload::Eof(Eof::Read { has_more: true })))
    );
}
