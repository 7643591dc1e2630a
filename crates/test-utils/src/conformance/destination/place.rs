//! One place to write to, and messages to write there.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
pub(super) use conformance::script::{
    catalog, child, child_stream, delete, errors, global_state, key_of, payload, raw, state, stream, upsert,
};
use futures::stream as streams;
use futures::{StreamExt, TryStreamExt};
use protocol::{
    AnyDestination, ConfiguredCatalog, ConfiguredStream, ConnectorError, InspectRequest, InspectedRows,
    Message, MessageStream, Payload, SourceState, StateStore, StoredRow, Stream, WriteRequest, run_to_end,
};
use serde_json::json;

use super::{DestinationFixture, Exactness, Rows};
use crate::conformance::{
    Config,
    json::{canonical, cells},
};

/// A place that was set up for some streams.
pub(super) struct Place<'f, F> {
    pub(super) fixture: &'f F,
    pub(super) config: Config,
    pub(super) catalog: ConfiguredCatalog,
}

impl<'f, F: DestinationFixture> Place<'f, F> {
    /// A fresh place, set up, with batches of a few rows.
    pub(super) async fn new(fixture: &'f F, streams: &[Stream]) -> anyhow::Result<Place<'f, F>> {
        let mut config = fixture.fresh().await?;
        config.insert("batch_size".to_owned(), json!(5));
        let place = Place { fixture, config, catalog: catalog(streams) };
        place.setup().await?;
        Ok(place)
    }

    pub(super) fn destination(&self) -> Arc<dyn AnyDestination> {
        self.fixture.destination()
    }

    pub(super) async fn setup(&self) -> anyhow::Result<()> {
        if let Some(messages) = self.destination().setup(&self.config, self.catalog.clone())? {
            run_to_end(messages).await.context("setup")?;
        }
        Ok(())
    }

    pub(super) async fn teardown(&self) -> anyhow::Result<()> {
        if let Some(messages) = self.destination().teardown(&self.config)? {
            run_to_end(messages).await.context("teardown")?;
        }
        Ok(())
    }

    /// Begins to write what `input` yields.
    pub(super) fn open(&self, input: MessageStream, sync_id: Option<&str>) -> anyhow::Result<MessageStream> {
        let sync_id = sync_id.map(str::to_owned);
        let request = WriteRequest { catalog: self.catalog.clone(), input, sync_id };
        Ok(self.destination().write(&self.config, request)?)
    }

    /// Writes the messages and answers all that comes back.
    pub(super) async fn write(&self, messages: Vec<Message>) -> anyhow::Result<Vec<Message>> {
        self.write_as(messages, None).await
    }

    /// The same, with states kept under a name.
    pub(super) async fn write_as(
        &self,
        messages: Vec<Message>,
        sync_id: Option<&str>,
    ) -> anyhow::Result<Vec<Message>> {
        let mut out = self.open(input(messages), sync_id)?;
        let mut seen = Vec::new();
        while let Some(message) = out.next().await {
            seen.push(message.context("write")?);
        }
        Ok(seen)
    }

    /// Writes the messages, none of which may fail.
    pub(super) async fn write_well(&self, messages: Vec<Message>) -> anyhow::Result<()> {
        let expected = messages.len();
        let back = self.write(messages).await?;
        if let Some((stream, error)) = errors(&back).next() {
            bail!("stream `{stream}` failed: {error}");
        }
        // A destination may say something besides.
        let handed_back = back.iter().filter(|message| !matches!(message.payload, Payload::Log(_))).count();
        ensure!(handed_back == expected, "{expected} messages were written, {handed_back} came back");
        Ok(())
    }

    /// The rows of a stream; fails where it has no table.
    pub(super) async fn rows(&self, stream: &Stream) -> anyhow::Result<Rows> {
        let rows = self.fixture.rows(&self.config, stream).await?;
        rows.with_context(|| format!("stream `{}` has no table", stream.name))
    }

    /// What the destination itself reads back, by key; `None` where it does not say it can.
    pub(super) async fn inspect(
        &self,
        stream: &Stream,
        account_id: Option<&str>,
        rows: InspectedRows,
    ) -> anyhow::Result<Option<Vec<StoredRow>>> {
        let configured = ConfiguredStream::whole(stream.clone());
        let account_id = account_id.map(str::to_owned);
        let request = InspectRequest { stream: configured, account_id, rows };
        let Some(rows) = self.destination().inspect(&self.config, request)? else {
            ensure!(!self.fixture.can_be_inspected(), "the destination cannot be read back");
            return Ok(None);
        };
        let mut rows: Vec<StoredRow> = rows.try_collect().await.context("inspect")?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Some(rows))
    }

    /// Fails unless the stream's rows are exactly these payloads.
    pub(super) async fn expect(&self, stream: &Stream, payloads: &[&str]) -> anyhow::Result<()> {
        let actual = self.rows(stream).await?;
        let mut expected = Rows::new();
        for payload in payloads {
            expected.insert(key_of(stream, payload)?, (*payload).to_owned());
        }
        self.compare(&stream.name, &actual, &expected)
    }

    /// Fails unless the rows are the same, as exactly as the destination promises.
    pub(super) fn compare(&self, stream: &str, actual: &Rows, expected: &Rows) -> anyhow::Result<()> {
        for (key, payload) in expected {
            let Some(found) = actual.get(key) else { bail!("stream `{stream}`: the row {key:?} is missing") };
            let same = match self.fixture.exactness() {
                Exactness::Text => found == payload,
                Exactness::Value => canonical(found)? == canonical(payload)?,
                Exactness::Cells => cells(found)? == cells(payload)?,
            };
            ensure!(
                same,
                "stream `{stream}`: the row {key:?} is {} instead of {}",
                short(found),
                short(payload)
            );
        }
        let extra = actual.keys().find(|key| !expected.contains_key(*key));
        ensure!(extra.is_none(), "stream `{stream}`: the row {extra:?} should not be there");
        Ok(())
    }

    /// The states kept under a name; `None` where the destination keeps none at all.
    pub(super) async fn states(&self, sync_id: &str) -> anyhow::Result<Option<Box<dyn StateStore>>> {
        match self.destination().state_store(&self.config, sync_id)? {
            Some(opening) => Ok(Some(opening.await.context("opening the state store")?)),
            None => Ok(None),
        }
    }

    /// What is stored under a name; `None` where nothing is.
    pub(super) async fn stored(&self, sync_id: &str) -> anyhow::Result<Option<SourceState>> {
        match self.states(sync_id).await? {
            Some(store) => Ok(store.load().await.context("loading the state")?),
            None => Ok(None),
        }
    }
}

fn short(payload: &str) -> String {
    let mut shown: String = payload.chars().take(200).collect();
    if shown.len() < payload.len() {
        shown.push('…');
    }
    shown
}

/// Messages as input.
pub(super) fn input(messages: Vec<Message>) -> MessageStream {
    streams::iter(messages.into_iter().map(Ok::<_, ConnectorError>)).boxed()
}
