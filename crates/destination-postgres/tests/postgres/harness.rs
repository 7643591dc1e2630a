//! What the tests share: a database of their own, streams, records, and a look into the tables.

use destination_postgres::{PostgresConfig, PostgresDestination};
use futures::{StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConfiguredStream, ConnectorError, Destination, Message, MessageStream, Payload,
    RawJson, Record, SourceState, SourceStateMessage, Stream, StreamStatus, WriteRequest, run_to_end,
};
use serde_json::json;
use test_utils::postgres::shared_database;
use tokio_postgres::{Client, NoTls};

/// A database, a schema in it, and the destination.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) schema: String,
}

pub(crate) async fn place() -> Place {
    Place { url: shared_database().await, schema: "stripe".to_owned() }
}

impl Place {
    pub(crate) fn config(&self) -> PostgresConfig {
        serde_json::from_value(json!({"url": self.url, "schema": self.schema, "retry_for_ms": 15_000}))
            .unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first column of what `sql` answers, as text.
    pub(crate) async fn query(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT x::text FROM ({sql}) AS q (x)");
        let rows =
            self.client().await.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or("NULL".to_owned())).collect()
    }

    pub(crate) async fn setup(&self, catalog: &ConfiguredCatalog) -> Result<Vec<Message>, ConnectorError> {
        run_to_end(PostgresDestination.setup(self.config(), catalog.clone()).unwrap()).await
    }

    pub(crate) async fn teardown(&self) -> Result<Vec<Message>, ConnectorError> {
        run_to_end(PostgresDestination.teardown(self.config()).unwrap()).await
    }

    pub(crate) async fn check(&self) -> Result<Vec<Message>, ConnectorError> {
        run_to_end(PostgresDestination.check(self.config())).await
    }

    /// Writes messages and answers what came back.
    pub(crate) async fn write(&self, catalog: &ConfiguredCatalog, messages: Vec<Message>) -> Vec<Message> {
        let input = stream::iter(messages).map(Ok).boxed();
        run_to_end(self.write_stream(catalog, input)).await.unwrap()
    }

    pub(crate) fn write_stream(&self, catalog: &ConfiguredCatalog, input: MessageStream) -> MessageStream {
        let request = WriteRequest { catalog: catalog.clone(), input, sync_id: Some("the sync".to_owned()) };
        PostgresDestination.write(self.config(), request)
    }

    pub(crate) async fn state(&self) -> Option<SourceState> {
        let store = PostgresDestination.state_store(self.config(), "the sync").unwrap().await.unwrap();
        store.load().await.unwrap()
    }
}

/// A stream like Stripe's.
pub(crate) fn stripe_stream(name: &str) -> ConfiguredStream {
    let schema = json!({"type": "object", "properties": {
        "id": {"type": "string"},
        "amount": {"oneOf": [{"type": "integer"}, {"type": "null"}]},
        "customer": {"oneOf": [{"type": "string"}, {"type": "null"}], "x-expandable-reference": true},
        "livemode": {"type": "boolean"},
        "metadata": {"type": "object"},
        "percent": {"type": "number"},
        "status": {"type": "string"},
        "_account_id": {"type": "string", "enum": ["acct_1", "acct_2"]},
        "_updated_at": {"type": "integer"},
    }});
    let stream: Stream = serde_json::from_value(json!({
        "name": name, "primary_key": [["id"], ["_account_id"]], "newer_than_field": "_updated_at",
        "json_schema": schema,
    }))
    .unwrap();
    ConfiguredStream::whole(stream)
}

/// A stream without a schema, keyed by `id`, versioned by `updated`.
pub(crate) fn plain_stream(name: &str) -> ConfiguredStream {
    let stream = json!({"name": name, "primary_key": [["id"]], "newer_than_field": "updated"});
    ConfiguredStream::whole(serde_json::from_value(stream).unwrap())
}

pub(crate) fn catalog(streams: impl IntoIterator<Item = ConfiguredStream>) -> ConfiguredCatalog {
    ConfiguredCatalog { streams: streams.into_iter().collect() }
}

pub(crate) fn record(stream: &str, data: &str) -> Message {
    change(stream, data, false)
}

pub(crate) fn deletion(stream: &str, data: &str) -> Message {
    change(stream, data, true)
}

fn change(stream: &str, data: &str, deleted: bool) -> Message {
    let data = RawJson::parse(data.to_owned()).unwrap();
    let emitted_at = serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap();
    Payload::Record(Record { stream: stream.into(), data, deleted, emitted_at }).into()
}

pub(crate) fn state(stream: &str, data: &str) -> Message {
    Message::stream_state(&stream.into(), RawJson::parse(data.to_owned()).unwrap())
}

pub(crate) fn global_state(data: &str) -> Message {
    let data = RawJson::parse(data.to_owned()).unwrap();
    Payload::SourceState(SourceStateMessage::Global { data }).into()
}

/// The errors that streams ended with.
pub(crate) fn stream_errors(messages: &[Message]) -> Vec<String> {
    let errors = messages.iter().filter_map(|message| match &message.payload {
        Payload::StreamStatus(status) => match &status.status {
            StreamStatus::Error { error } => Some(error.clone()),
            _ => None,
        },
        _ => None,
    });
    errors.collect()
}
