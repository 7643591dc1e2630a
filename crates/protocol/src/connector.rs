//! What a connector can do.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{
    ConfiguredCatalog, ConnectionState, ConnectorError, ConnectorSpec, ErrorKind, InspectRequest,
    LookUpRequest, Message, Payload, RawJson, RowStream, SourceState,
};

/// What every operation answers: messages, produced as they are pulled. Dropping it stops the work.
pub type MessageStream = Pin<Box<dyn Stream<Item = Result<Message, ConnectorError>> + Send>>;

/// What is pushed into a source, such as webhook events.
pub type InputStream = Pin<Box<dyn Stream<Item = Result<RawJson, ConnectorError>> + Send>>;

/// Tells how many requests a source has made so far.
pub type RequestCount = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What to read, and from where on.
pub struct ReadRequest {
    /// The streams.
    pub catalog: ConfiguredCatalog,
    /// What the source said when it was read last; `None` on the first read.
    pub state: Option<SourceState>,
    /// With input, the source processes it and ends, without a backfill.
    pub input: Option<InputStream>,
    /// Counts the global states of this read that the destination has handed back: what was told before the n-th is
    /// durable once it says n. `None` where nobody counts; a source needs it only to answer those who wait.
    pub durable: Option<watch::Receiver<u64>>,
}

/// What to write.
pub struct WriteRequest {
    /// The streams.
    pub catalog: ConfiguredCatalog,
    /// The messages; records and states are for the destination, all else is handed back as it is.
    pub input: MessageStream,
    /// Name under which the destination also keeps each `source_state`, in the transaction that
    /// makes the records before it durable. `None`: states are only handed back.
    pub sync_id: Option<String>,
}

/// Reads records from somewhere.
pub trait Source: Send + Sync + 'static {
    /// The configuration, checked before any operation is called.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// The connector's type, e.g. `stripe`.
    fn name(&self) -> &'static str;

    /// What the connector can be told.
    fn spec(&self) -> ConnectorSpec {
        ConnectorSpec::of_config::<Self::Config>()
    }

    /// Says by a `connection_status` whether the configuration works.
    fn check(&self, config: Self::Config) -> MessageStream;

    /// Emits one `catalog`.
    fn discover(&self, config: Self::Config) -> MessageStream;

    /// Emits records, states and stream statuses; it may have no end.
    fn read(&self, config: Self::Config, request: ReadRequest) -> MessageStream;

    /// Asks for single objects by their ids; see [`LookUpRequest`]. `None`: this source cannot, at least not for
    /// this stream.
    fn look_up(&self, config: Self::Config, request: LookUpRequest) -> Option<MessageStream> {
        let _ = (config, request);
        None
    }

    /// This source with a count of its own: of the requests that are made for what it is asked, and of no others. `None`:
    /// this source cannot count.
    fn counted(&self) -> Option<(Self, RequestCount)>
    where
        Self: Sized,
    {
        None
    }

    /// Tells of each stream, without reading it, whether it can be read: a `stream_status` of `start` if so,
    /// else `skip` or `error` with the reason; `log` messages tell of what is missing besides. `None`: the
    /// source cannot tell.
    fn preflight(&self, config: Self::Config, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let _ = (config, catalog);
        None
    }

    /// Prepares the other side. `None`: there is nothing to prepare.
    fn setup(&self, config: Self::Config, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let _ = (config, catalog);
        None
    }

    /// Undoes [`Source::setup`]. `None`: there is nothing to undo.
    fn teardown(&self, config: Self::Config) -> Option<MessageStream> {
        let _ = config;
        None
    }
}

/// Writes records somewhere.
///
/// `write` hands every message back, in order within a stream; a `record` once it is durable, and a
/// `source_state` or `stream_status` only after every earlier record of its stream is. A stream that
/// cannot be written gets a `stream_status: error`, its later messages are withheld, and the
/// other streams go on.
pub trait Destination: Send + Sync + 'static {
    /// The configuration, checked before any operation is called.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// The connector's type, e.g. `postgres`.
    fn name(&self) -> &'static str;

    /// What the connector can be told.
    fn spec(&self) -> ConnectorSpec {
        ConnectorSpec::of_config::<Self::Config>()
    }

    /// Says by a `connection_status` whether the configuration works.
    fn check(&self, config: Self::Config) -> MessageStream;

    /// Makes records durable.
    fn write(&self, config: Self::Config, request: WriteRequest) -> MessageStream;

    /// Creates what `write` needs. `None`: nothing is needed.
    fn setup(&self, config: Self::Config, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let _ = (config, catalog);
        None
    }

    /// Removes what [`Destination::setup`] made. `None`: nothing was made.
    fn teardown(&self, config: Self::Config) -> Option<MessageStream> {
        let _ = config;
        None
    }

    /// Reads back which rows a stream has and what is in them; see [`InspectRequest`]. A stream without a table has
    /// no rows. `None`: this destination cannot be read back.
    fn inspect(&self, config: Self::Config, request: InspectRequest) -> Option<RowStream> {
        let _ = (config, request);
        None
    }

    /// Opens the states kept under `sync_id` (see [`WriteRequest::sync_id`]). `None`: this
    /// destination keeps none.
    fn state_store(
        &self,
        config: Self::Config,
        sync_id: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let _ = (config, sync_id);
        None
    }
}

/// The states that a destination keeps beside its data, for one sync.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// What was stored; `None` where nothing was.
    async fn load(&self) -> Result<Option<SourceState>, ConnectorError>;

    /// Forgets everything stored for this sync.
    async fn clear(&self) -> Result<(), ConnectorError>;
}

/// A stream of no messages.
pub fn empty_stream() -> MessageStream {
    stream::empty().boxed()
}

/// A stream of what one future answers: a message or an error.
pub fn once<F>(future: F) -> MessageStream
where
    F: Future<Output = Result<Message, ConnectorError>> + Send + 'static,
{
    stream::once(future).boxed()
}

/// Reads a stream to its end and answers its messages.
/// Fails with the message of the first `connection_status: failed`.
pub async fn run_to_end(mut messages: MessageStream) -> Result<Vec<Message>, ConnectorError> {
    let mut seen = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message?;
        refuse_failed(&message)?;
        seen.push(message);
    }
    Ok(seen)
}

/// The first payload that `pick` takes. Fails with the message of an earlier
/// `connection_status: failed`, or when the stream ends without such a payload.
pub async fn first_of<T>(
    mut messages: MessageStream,
    wanted: &str,
    pick: impl Fn(Payload) -> Option<T>,
) -> Result<T, ConnectorError> {
    while let Some(message) = messages.next().await {
        let message = message?;
        refuse_failed(&message)?;
        if let Some(picked) = pick(message.payload) {
            return Ok(picked);
        }
    }
    Err(ConnectorError::internal(format!("the connector ended without a `{wanted}` message")))
}

fn refuse_failed(message: &Message) -> Result<(), ConnectorError> {
    match &message.payload {
        Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
            let text = status.message.clone().unwrap_or_else(|| "connection failed".to_owned());
            Err(ConnectorError::new(ErrorKind::Permanent, text))
        }
        _ => Ok(()),
    }
}
