//! A spreadsheet to write to, streams and messages, and what a test looks at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use destination_google_sheets::{SheetsConfig, SheetsDestination, SheetsOptions};
use futures::{StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConfiguredStream, ConnectorError, Destination, LogLevel, Message, Payload, RawJson,
    Record, SourceState, Stream, StreamStatus, Timestamp, WriteRequest, run_to_end,
};
use serde_json::{Value, json};
use test_utils::sheets::{CLIENT_ID, CLIENT_SECRET, Cell, REFRESH_TOKEN, SheetsServer};

/// The minute of the quotas in these tests.
pub(crate) const MINUTE: Duration = Duration::from_millis(600);

pub(crate) struct World {
    pub(crate) server: SheetsServer,
    pub(crate) id: String,
    pub(crate) destination: SheetsDestination,
}

/// What came back from a write.
#[derive(Debug, Default)]
pub(crate) struct Back {
    pub(crate) records: usize,
    pub(crate) states: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn stream_of(name: &str, properties: &Value) -> Stream {
    Stream {
        name: name.into(),
        primary_key: vec![vec!["id".to_owned()]],
        newer_than_field: "_updated_at".to_owned(),
        json_schema: json!({"type": "object", "properties": properties}).as_object().cloned(),
        metadata: None,
        soft_delete_field: None,
    }
}

/// A stream of `id` and `name`.
pub(crate) fn customers() -> Stream {
    stream_of("customer", &json!({"id": {"type": "string"}, "name": {"type": "string"}}))
}

pub(crate) fn catalog(streams: &[&Stream]) -> ConfiguredCatalog {
    let whole = |stream: &&Stream| ConfiguredStream::whole((*stream).clone());
    ConfiguredCatalog { streams: streams.iter().map(whole).collect() }
}

pub(crate) fn upsert(stream: &Stream, data: &Value) -> Message {
    record(stream, data, false)
}

pub(crate) fn record(stream: &Stream, data: &Value, deleted: bool) -> Message {
    let (data, stream) = (RawJson::from_value(data).unwrap(), Arc::clone(&stream.name));
    Payload::Record(Record { stream, data, deleted, emitted_at: Timestamp::UNIX_EPOCH }).into()
}

pub(crate) fn state(stream: &Stream, data: &Value) -> Message {
    Message::stream_state(&stream.name, RawJson::from_value(data).unwrap())
}

/// The customers `0..count` at a version, and a state after them.
pub(crate) fn page(stream: &Stream, count: usize, version: i64) -> Vec<Message> {
    let one = |number: usize| {
        upsert(
            stream,
            &json!({"id": format!("cus_{number}"), "name": format!("N{number} v{version}"), "_updated_at": version}),
        )
    };
    (0..count).map(one).chain([state(stream, &json!({"at": version}))]).collect()
}

impl World {
    pub(crate) async fn new() -> World {
        World::with_minute(MINUTE).await
    }

    /// With a minute of this length: what is done once a minute is not done within a long one, however slow the machine is.
    pub(crate) async fn with_minute(minute: Duration) -> World {
        let server = SheetsServer::start().await.unwrap();
        server.set_quota(minute, 60);
        let id = server.create("Mine");
        let destination = SheetsDestination::new(SheetsOptions { minute, ..SheetsOptions::default() });
        World { server, id, destination }
    }

    pub(crate) fn config(&self) -> SheetsConfig {
        self.config_with(json!({}))
    }

    pub(crate) fn config_with(&self, more: Value) -> SheetsConfig {
        let url = self.server.url();
        let mut config = json!({
            "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
            "spreadsheet_id": self.id, "base_url": url, "drive_url": url, "token_url": format!("{url}/token"),
        });
        let Value::Object(more) = more else { panic!("an object") };
        config.as_object_mut().unwrap().extend(more);
        serde_json::from_value(config).unwrap()
    }

    pub(crate) async fn write(&self, streams: &[&Stream], messages: Vec<Message>) -> Back {
        self.try_write(self.config(), streams, messages).await.unwrap()
    }

    pub(crate) async fn try_write(
        &self,
        config: SheetsConfig,
        streams: &[&Stream],
        messages: Vec<Message>,
    ) -> Result<Back, ConnectorError> {
        let input = stream::iter(messages.into_iter().map(Ok)).boxed();
        let request = WriteRequest { catalog: catalog(streams), input, sync_id: Some("sync".to_owned()) };
        let mut back = Back::default();
        for message in run_to_end(self.destination.write(config, request)).await? {
            back.take(message);
        }
        Ok(back)
    }

    pub(crate) async fn stored(&self) -> Option<SourceState> {
        let store =
            Destination::state_store(&self.destination, self.config(), "sync").unwrap().await.unwrap();
        store.load().await.unwrap()
    }

    /// The data rows of a tab as texts by their `id`, which must be there once; every cell by the name of its column.
    pub(crate) fn rows(&self, tab: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let spreadsheet = self.server.spreadsheet(&self.id);
        let sheet = spreadsheet.sheet(tab).expect("a tab of this name");
        let headers = sheet.headers();
        let mut rows = BTreeMap::new();
        for cells in sheet.data() {
            let shown = headers.iter().zip(cells.iter().map(Cell::shown));
            let row: BTreeMap<String, String> = shown.map(|(name, cell)| (name.clone(), cell)).collect();
            let before = rows.insert(row["id"].clone(), row);
            assert!(before.is_none(), "twice: {before:?}");
        }
        rows
    }

    /// The names of a tab's rows, by their `id`.
    pub(crate) fn names(&self, tab: &str) -> BTreeMap<String, String> {
        let rows = self.rows(tab).into_iter();
        rows.map(|(id, row)| (id, row.get("name").cloned().unwrap_or_default())).collect()
    }
}

impl Back {
    pub(crate) fn take(&mut self, message: Message) {
        match message.payload {
            Payload::Record(_) => self.records += 1,
            Payload::SourceState(protocol::SourceStateMessage::Stream { data, .. }) => {
                self.states.push(data.as_str().to_owned());
            }
            Payload::StreamStatus(status) => {
                if let StreamStatus::Error { error } = status.status {
                    self.errors.push(error);
                }
            }
            Payload::Log(log) if log.level == LogLevel::Warn => self.warnings.push(log.message),
            Payload::Log(log) => self.notes.push(log.message),
            _ => {}
        }
    }
}

/// The names that [`page`] gives.
pub(crate) fn expected(count: usize, version: i64) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("cus_{number}"), format!("N{number} v{version}"))).collect()
}
