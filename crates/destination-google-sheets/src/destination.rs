//! The destination itself.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{Stream, StreamExt, stream};
use protocol::{
    ConfiguredCatalog, ConnectionStatus, ConnectorError, ConnectorSpec, Control, Destination, LogLevel,
    Message, MessageStream, Payload, StateStore, WriteRequest, once, write_batches,
};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::api::Spreadsheet;
use crate::client::{Client, Quotas};
use crate::config::SheetsConfig;
use crate::error::SheetsError;
use crate::options::SheetsOptions;
use crate::state::SheetsStateStore;
use crate::teardown;
use crate::workbook::Workbook;
use crate::writer::SheetsWriter;

/// Share of a time limit after which the source is no longer read: what was read may still have to wait for the quota.
const SOFT_LIMIT: f64 = 0.5;

/// Writes streams into the tabs of a Google spreadsheet; see the crate's documentation for what it looks like.
#[derive(Clone)]
pub struct SheetsDestination(Arc<Shared>);

/// What the operations share: requests of all syncs count against one quota.
pub(crate) struct Shared {
    options: SheetsOptions,
    quotas: Mutex<Vec<(u32, Arc<Quotas>)>>,
}

impl SheetsDestination {
    /// A destination that finds credentials where the options say.
    pub fn new(options: SheetsOptions) -> SheetsDestination {
        SheetsDestination(Arc::new(Shared { options, quotas: Mutex::default() }))
    }
}

impl Shared {
    /// A way to Google, and the spreadsheet where one is named. Words for people go to `logs`.
    pub(crate) fn client(
        &self,
        config: &SheetsConfig,
        logs: UnboundedSender<Message>,
    ) -> Result<Client, SheetsError> {
        let most = config.requests_per_minute.get();
        let quotas = {
            let mut known = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
            match known.iter().find(|(other, _)| *other == most) {
                Some((_, quotas)) => Arc::clone(quotas),
                None => {
                    let count = usize::try_from(most).unwrap_or(usize::MAX);
                    let quotas = Arc::new(Quotas::new(count, self.options.minute));
                    known.push((most, Arc::clone(&quotas)));
                    quotas
                }
            }
        };
        Client::new(config, &self.options, quotas, logs)
    }

    /// The spreadsheet of the configuration.
    pub(crate) fn named(
        &self,
        config: &SheetsConfig,
        logs: UnboundedSender<Message>,
    ) -> Result<Option<Spreadsheet>, SheetsError> {
        let client = self.client(config, logs)?;
        Ok(config.id().map(|id| Spreadsheet { client, id: id.to_owned() }))
    }

    /// The spreadsheet of the configuration, made where none is named, with what the catalog needs; and what has
    /// to be said of it.
    async fn prepare(
        &self,
        config: &SheetsConfig,
        catalog: &ConfiguredCatalog,
        logs: UnboundedSender<Message>,
    ) -> Result<(Workbook, Vec<Message>), SheetsError> {
        let mut said = Vec::new();
        let (spreadsheet, is_new) = match self.named(config, logs.clone())? {
            Some(spreadsheet) => (spreadsheet, false),
            None => {
                let made = Spreadsheet::create(self.client(config, logs)?, &config.spreadsheet_title).await?;
                let text = format!(
                    "made the spreadsheet `{}`: https://docs.google.com/spreadsheets/d/{id}/edit. Give `spreadsheet_id` {id} to the \
                     next sync, or it makes another one",
                    config.spreadsheet_title,
                    id = made.id
                );
                said.push(Message::log(LogLevel::Info, text));
                let destination_config = config.with_id(&made.id);
                said.push(Payload::Control(Control::DestinationConfig { destination_config }).into());
                (made, true)
            }
        };
        Ok((Workbook::prepare(spreadsheet, catalog, is_new).await?, said))
    }
}

/// What was said meanwhile.
fn drained(mut logs: UnboundedReceiver<Message>) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Ok(message) = logs.try_recv() {
        messages.push(message);
    }
    messages
}

fn received(logs: UnboundedReceiver<Message>) -> impl Stream<Item = Result<Message, ConnectorError>> + Send {
    stream::unfold(logs, |mut logs| async { logs.recv().await.map(|message| (Ok(message), logs)) })
}

impl Destination for SheetsDestination {
    type Config = SheetsConfig;

    fn name(&self) -> &'static str {
        "google_sheets"
    }

    fn spec(&self) -> ConnectorSpec {
        ConnectorSpec { soft_limit_fraction: Some(SOFT_LIMIT), ..ConnectorSpec::of_config::<SheetsConfig>() }
    }

    fn check(&self, config: SheetsConfig) -> MessageStream {
        let shared = Arc::clone(&self.0);
        once(async move {
            let status = match check(&shared, &config).await {
                Ok(()) => ConnectionStatus::succeeded(),
                Err(error) => ConnectionStatus::failed(error.to_string()),
            };
            Ok(Message::connection_status(status))
        })
    }

    fn write(&self, config: SheetsConfig, request: WriteRequest) -> MessageStream {
        let WriteRequest { catalog, input, sync_id } = request;
        let (shared, limits) = (Arc::clone(&self.0), config.limits());
        let messages = async move {
            let (sender, logs) = unbounded_channel();
            let opened = async {
                let (mut workbook, said) = shared.prepare(&config, &catalog, sender).await?;
                let streams: Vec<Arc<str>> = workbook.streams.keys().cloned().collect();
                workbook.read_rows(&streams).await?;
                Ok::<_, SheetsError>((workbook, said))
            };
            match opened.await {
                Ok((workbook, said)) => {
                    let writer = Arc::new(SheetsWriter::new(workbook, sync_id, shared.options.minute));
                    let written = write_batches(writer, limits, input);
                    let said = stream::iter(said.into_iter().map(Ok));
                    said.chain(stream::select(received(logs), written)).boxed()
                }
                Err(error) => {
                    let said = stream::iter(drained(logs).into_iter().map(Ok));
                    said.chain(once(async { Err(error.into()) })).boxed()
                }
            }
        };
        stream::once(messages).flatten().boxed()
    }

    fn setup(&self, config: SheetsConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        let shared = Arc::clone(&self.0);
        let prepared = async move {
            let (sender, logs) = unbounded_channel();
            let mut said: Vec<Result<Message, ConnectorError>> = Vec::new();
            match shared.prepare(&config, &catalog, sender).await {
                Ok((mut workbook, messages)) => {
                    said.extend(messages.into_iter().map(Ok));
                    said.extend(workbook.write_overview().await.err().map(|error| Err(error.into())));
                    said.extend(workbook.refused.drain().map(|(_, error)| Err(error.into())));
                }
                Err(error) => said.push(Err(error.into())),
            }
            let meanwhile = drained(logs).into_iter().map(Ok);
            stream::iter(meanwhile.chain(said).collect::<Vec<_>>())
        };
        Some(stream::once(prepared).flatten().boxed())
    }

    fn teardown(&self, config: SheetsConfig) -> Option<MessageStream> {
        let shared = Arc::clone(&self.0);
        let removed = async move {
            let (sender, logs) = unbounded_channel();
            let mut said: Vec<_> = Vec::new();
            if let Err(error) = teardown::remove(&shared, &config, sender).await {
                said.push(Err(ConnectorError::from(error)));
            }
            stream::iter(drained(logs).into_iter().map(Ok).chain(said).collect::<Vec<_>>())
        };
        Some(stream::once(removed).flatten().boxed())
    }

    fn state_store(
        &self,
        config: SheetsConfig,
        sync_id: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let store = SheetsStateStore::new(Arc::clone(&self.0), config, sync_id);
        Some(Box::pin(async move { Ok(Box::new(store) as Box<dyn StateStore>) }))
    }
}

/// Proves that the credentials work, and that the spreadsheet can be changed, by giving it the name it has.
async fn check(shared: &Shared, config: &SheetsConfig) -> Result<(), SheetsError> {
    let (logs, _) = unbounded_channel();
    let Some(spreadsheet) = shared.named(config, logs.clone())? else {
        return shared.client(config, logs)?.sign_in().await;
    };
    let title = spreadsheet.describe().await?.title;
    let rename = json!({"updateSpreadsheetProperties": {"properties": {"title": title}, "fields": "title"}});
    Ok(spreadsheet.change(&[rename]).await?)
}
