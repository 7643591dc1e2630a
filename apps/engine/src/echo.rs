//! The connectors called `test`: a source that emits what is pushed into it, and a destination that
//! hands everything back. They try out an engine without any outside system.

use std::collections::BTreeMap;

use futures::StreamExt;
use protocol::{
    CatalogMessage, ConnectionStatus, Destination, Message, MessageStream, Payload, ReadRequest, Source,
    Stream, WriteRequest,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the source `test` is told.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoSourceConfig {
    /// The streams it offers.
    #[serde(default)]
    pub streams: BTreeMap<String, EchoStream>,
    /// After this many records the connection fails.
    #[serde(default)]
    pub auth_error_after: Option<u64>,
}

/// A stream that the source `test` offers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoStream {
    /// Paths of the primary key fields; `[["id"]]` when absent.
    #[serde(default)]
    pub primary_key: Option<Vec<Vec<String>>>,
}

/// The source `test`: emits the messages that are pushed into it, and nothing without input.
#[derive(Debug, Clone, Copy, Default)]
pub struct EchoSource;

impl Source for EchoSource {
    type Config = EchoSourceConfig;

    fn name(&self) -> &'static str {
        "test"
    }

    fn check(&self, _: EchoSourceConfig) -> MessageStream {
        protocol::once(async { Ok(Message::connection_status(ConnectionStatus::succeeded())) })
    }

    fn discover(&self, config: EchoSourceConfig) -> MessageStream {
        let streams = config.streams.into_iter().map(|(name, stream)| Stream {
            name: name.into(),
            primary_key: stream.primary_key.unwrap_or_else(|| vec![vec!["id".to_owned()]]),
            newer_than_field: "_updated_at".to_owned(),
            json_schema: None,
            metadata: None,
            soft_delete_field: None,
        });
        let catalog = CatalogMessage { streams: streams.collect() };
        protocol::once(async { Ok(Payload::Catalog(catalog).into()) })
    }

    fn read(&self, config: EchoSourceConfig, request: ReadRequest) -> MessageStream {
        let Some(mut input) = request.input else { return protocol::empty_stream() };
        Box::pin(async_stream::try_stream! {
            let mut records = 0;
            while let Some(pushed) = input.next().await {
                let message: Message = pushed?.read().map_err(|error| {
                    protocol::ConnectorError::config(format!("the input is not a message: {error}"))
                })?;
                records += u64::from(matches!(message.payload, Payload::Record(_)));
                let fails = config.auth_error_after.is_some_and(|limit| records >= limit);
                yield message;
                if fails {
                    yield Message::connection_status(ConnectionStatus::failed("Simulated auth error"));
                    break;
                }
            }
        })
    }
}

/// What the destination `test` is told: nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoDestinationConfig {}

/// The destination `test`: hands every message back at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct EchoDestination;

impl Destination for EchoDestination {
    type Config = EchoDestinationConfig;

    fn name(&self) -> &'static str {
        "test"
    }

    fn check(&self, _: EchoDestinationConfig) -> MessageStream {
        protocol::once(async { Ok(Message::connection_status(ConnectionStatus::succeeded())) })
    }

    fn write(&self, _: EchoDestinationConfig, request: WriteRequest) -> MessageStream {
        request.input
    }
}
