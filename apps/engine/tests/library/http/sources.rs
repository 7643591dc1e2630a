//! Sources that do what only a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::echo::{EchoDestination, EchoSource};
use engine::{Engine, Registry};
use futures::StreamExt;
use protocol::{ConnectorError, Message, MessageStream, ReadRequest, Source};
use serde_json::{Map, Value, json};

use crate::script::{record, said};

/// Emits records of a kilobyte without end, and counts them.
#[derive(Clone, Default)]
pub(crate) struct Flood {
    pub(crate) emitted: Arc<AtomicUsize>,
    /// Reads that are under way.
    pub(crate) open: Arc<AtomicUsize>,
}

impl Flood {
    pub(crate) fn engine(&self) -> Engine {
        Engine::new(Registry::new().with_source(self.clone()).with_destination(EchoDestination))
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn one_stream() -> MessageStream {
    let stream = json!({"name": "a", "primary_key": [["id"]], "newer_than_field": "_updated_at"});
    let catalog = said(json!({"type": "catalog", "catalog": {"streams": [stream]}}));
    protocol::once(async { Ok(catalog) })
}

impl Source for Flood {
    type Config = Map<String, Value>;

    fn name(&self) -> &'static str {
        "flood"
    }

    fn check(&self, _: Self::Config) -> MessageStream {
        protocol::empty_stream()
    }

    fn discover(&self, _: Self::Config) -> MessageStream {
        one_stream()
    }

    fn read(&self, _: Self::Config, _: ReadRequest) -> MessageStream {
        let message = said(record("a", &"x".repeat(900)));
        let emitted = Arc::clone(&self.emitted);
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&self.open));
        futures::stream::repeat_with(move || {
            let _ = &open;
            emitted.fetch_add(1, Ordering::SeqCst);
            Ok(message.clone())
        })
        .boxed()
    }
}

/// Logs while it produces messages, from its own task and from one that it spawned; then fails.
#[derive(Clone, Copy)]
pub(crate) struct Chatty;

/// An engine whose source is chatty, or echoes.
pub(crate) fn chatty() -> Engine {
    let registry = Registry::new().with_source(Chatty).with_source(EchoSource);
    Engine::new(registry.with_destination(EchoDestination))
}

impl Source for Chatty {
    type Config = Map<String, Value>;

    fn name(&self) -> &'static str {
        "chatty"
    }

    fn check(&self, _: Self::Config) -> MessageStream {
        let entry = json!({"type": "log", "log": {"level": "warn", "message": "told by the connector"}});
        protocol::once(async { Ok(said(entry)) })
    }

    fn discover(&self, config: Self::Config) -> MessageStream {
        if config.contains_key("undiscoverable") {
            return protocol::once(async { Err(ConnectorError::internal("nothing to be seen")) });
        }
        one_stream()
    }

    fn read(&self, config: Self::Config, _: ReadRequest) -> MessageStream {
        let fails = config.contains_key("fails");
        Box::pin(async_stream::try_stream! {
            for number in 0..5 {
                tracing::info!(number, "before a record");
                tokio::task::yield_now().await;
                yield Message { ..said(record("a", &number.to_string())) };
            }
            tracing::warn!("after the last record");
            if fails {
                Err(ConnectorError::internal("the cable was cut"))?;
            }
        })
    }
}
