//! The destination's side: reading rows back, and writing what is to be repaired.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use protocol::{
    AnyDestination, ConfiguredCatalog, ConfiguredStream, ConnectorConfig, ConnectorError, ErrorKind,
    InspectRequest, InspectedRows, Message, Payload, RawJson, Record, StoredRow, StreamStatus, Timestamp,
    WriteRequest,
};

use crate::EngineError;

/// One stream in the destination.
pub(crate) struct Copy<'a> {
    pub(crate) destination: &'a Arc<dyn AnyDestination>,
    pub(crate) connector: &'a ConnectorConfig,
    pub(crate) stream: &'a ConfiguredStream,
    pub(crate) account_id: Option<&'a str>,
    /// Name under which the position is kept, if it is.
    pub(crate) sync_id: Option<&'a str>,
}

impl Copy<'_> {
    pub(crate) fn failed(&self, error: ConnectorError) -> EngineError {
        EngineError::destination(&self.connector.connector, error)
    }

    /// Fails where the destination cannot be read back.
    pub(crate) async fn rows(&self, rows: InspectedRows) -> Result<Vec<StoredRow>, EngineError> {
        let account_id = self.account_id.map(str::to_owned);
        let request = InspectRequest { stream: self.stream.clone(), account_id, rows };
        let rows = self.destination.inspect(&self.connector.config, request);
        let rows = rows.map_err(|error| self.failed(error))?.ok_or_else(|| {
            self.failed(ConnectorError::config(format!(
                "the destination `{}` cannot be read back, so it cannot be compared with the source",
                self.connector.connector
            )))
        })?;
        rows.try_collect().await.map_err(|error| self.failed(error))
    }

    /// Those of the keys that are stored now.
    pub(crate) async fn stored(
        &self,
        keys: impl Iterator<Item = Vec<String>>,
    ) -> Result<HashMap<Vec<String>, StoredRow>, EngineError> {
        let rows = self.rows(InspectedRows::Keys(keys.collect())).await?;
        Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
    }

    /// A record of the stream.
    pub(crate) fn record(&self, data: RawJson, deleted: bool, now: Timestamp) -> Message {
        let stream = Arc::clone(&self.stream.stream.name);
        Payload::Record(Record { stream, data, deleted, emitted_at: now }).into()
    }

    /// Writes records, as any sync does.
    pub(crate) async fn write(&self, messages: Vec<Message>) -> Result<(), EngineError> {
        if messages.is_empty() {
            return Ok(());
        }
        let request = WriteRequest {
            catalog: ConfiguredCatalog { streams: vec![self.stream.clone()] },
            input: stream::iter(messages).map(Ok).boxed(),
            sync_id: self.sync_id.map(str::to_owned),
        };
        let written = self.destination.write(&self.connector.config, request);
        let mut written = written.map_err(|error| self.failed(error))?;
        while let Some(message) = written.next().await {
            if let Payload::StreamStatus(status) = message.map_err(|error| self.failed(error))?.payload
                && let StreamStatus::Error { error } = status.status
            {
                return Err(self.failed(ConnectorError::new(ErrorKind::Permanent, error)));
            }
        }
        Ok(())
    }

    /// Keeps the position, where positions are kept.
    pub(crate) async fn keep(&self, position: &super::position::Position) -> Result<(), EngineError> {
        if self.sync_id.is_none() {
            return Ok(());
        }
        let data = RawJson::from_value(position).map_err(|error| {
            self.failed(ConnectorError::internal("the position cannot be written").caused_by(error))
        })?;
        self.write(vec![Message::stream_state(&self.stream.stream.name, data)]).await
    }
}
