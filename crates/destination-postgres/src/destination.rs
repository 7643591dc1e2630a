//! The connector.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use protocol::{
    ConfiguredCatalog, ConnectionStatus, ConnectorError, Destination, InspectRequest, Message, MessageStream,
    RowStream, SourceState, StateStore, WriteRequest, once, write_batches,
};
use state_postgres::ScopedStates;

use crate::config::PostgresConfig;
use crate::failure::connector_error;
use crate::write::Writer;
use crate::{check, inspect, setup, teardown};

/// Writes streams into PostgreSQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgresDestination;

impl Destination for PostgresDestination {
    type Config = PostgresConfig;

    fn name(&self) -> &'static str {
        "postgres"
    }

    fn check(&self, config: PostgresConfig) -> MessageStream {
        once(async move {
            let result = async { check::run(&config.database()?, &config.schema).await }.await;
            Ok(Message::connection_status(match result {
                Ok(()) => ConnectionStatus::succeeded(),
                Err(error) => ConnectionStatus::failed(error.to_string()),
            }))
        })
    }

    fn write(&self, config: PostgresConfig, request: WriteRequest) -> MessageStream {
        let writer = config.database().and_then(|database| {
            Writer::new(database, &config, &request.catalog, request.sync_id).map(Arc::new)
        });
        let writer = match writer {
            Ok(writer) => writer,
            Err(error) => return once(ready(Err(error))),
        };
        let limits = config.limits();
        // A server that cannot be reached at all is one failure, not one of every stream.
        let messages = async move {
            writer.reach().await?;
            Ok(write_batches(writer, limits, request.input))
        };
        stream::once(messages).try_flatten().boxed()
    }

    fn setup(&self, config: PostgresConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let (progress, said) = mpsc::unbounded();
        let done = async move { setup::run(&config, &catalog, &progress).await };
        let failure = stream::once(done).filter_map(|result| ready(result.err().map(Err)));
        // What was said before it failed comes first.
        Some(stream::select_with_strategy(said.map(Ok), failure, |()| stream::PollNext::Left).boxed())
    }

    fn teardown(&self, config: PostgresConfig) -> Option<MessageStream> {
        Some(messages_of(async move {
            teardown::refuse_protected(&config.schema)?;
            teardown::run(&config.database()?, &config.schema).await
        }))
    }

    fn inspect(&self, config: PostgresConfig, request: InspectRequest) -> Option<RowStream> {
        Some(inspect::rows(config, request))
    }

    fn state_store(
        &self,
        config: PostgresConfig,
        sync_id: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let sync_id = sync_id.to_owned();
        Some(Box::pin(async move {
            let store = States(ScopedStates::new(config.database()?, &config.schema, &sync_id));
            Ok(Box::new(store) as Box<dyn StateStore>)
        }))
    }
}

/// The messages that one future answers.
fn messages_of<F>(future: F) -> MessageStream
where
    F: Future<Output = Result<Vec<Message>, ConnectorError>> + Send + 'static,
{
    stream::once(future).map_ok(|messages| stream::iter(messages).map(Ok)).try_flatten().boxed()
}

struct States(ScopedStates);

#[async_trait]
impl StateStore for States {
    async fn load(&self) -> Result<Option<SourceState>, ConnectorError> {
        self.0.load().await.map_err(connector_error)
    }

    async fn clear(&self) -> Result<(), ConnectorError> {
        self.0.clear().await.map_err(connector_error)
    }
}
