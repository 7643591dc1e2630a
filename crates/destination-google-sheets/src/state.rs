//! The states of syncs, kept in the hidden tab beside the rows they are about.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::{ConnectorError, RawJson, SourceState, StateStore};
use tokio::sync::mpsc::unbounded_channel;

use crate::actor::GLOBAL;
use crate::api::Spreadsheet;
use crate::books::{self, Kind};
use crate::config::SheetsConfig;
use crate::destination::Shared;
use crate::error::SheetsError;
use crate::ranges;
use crate::workbook::{REQUEST, look, short_streams};

/// The states of one sync in one spreadsheet.
pub(crate) struct SheetsStateStore {
    shared: Arc<Shared>,
    config: SheetsConfig,
    sync_id: String,
}

impl SheetsStateStore {
    pub(crate) fn new(shared: Arc<Shared>, config: SheetsConfig, sync_id: &str) -> SheetsStateStore {
        SheetsStateStore { shared, config, sync_id: sync_id.to_owned() }
    }

    fn spreadsheet(&self) -> Result<Option<Spreadsheet>, SheetsError> {
        let (logs, _) = unbounded_channel();
        self.shared.named(&self.config, logs)
    }

    /// What is kept; of a stream whose rows were deleted by hand nothing, so that it is read again.
    async fn read(&self) -> Result<Option<SourceState>, SheetsError> {
        let Some(spreadsheet) = self.spreadsheet()? else { return Ok(None) };
        let look = look(&spreadsheet).await?;
        let kept: Vec<(&str, &str)> = look
            .books
            .of_kind(Kind::State)
            .filter(|(sync, _, _)| *sync == self.sync_id)
            .map(|(_, stream, text)| (stream, text))
            .collect();
        if kept.is_empty() {
            return Ok(None);
        }
        let short = short_streams(&spreadsheet, &look).await?;
        let mut state = SourceState::default();
        for (stream, text) in kept {
            if short.contains(stream) {
                tracing::warn!(stream, "rows were deleted by hand; the stream is read again");
                continue;
            }
            let data = RawJson::parse(text.to_owned()).map_err(|cause| {
                SheetsError::Config(format!(
                    "the state of stream `{stream}` in the hidden tab `{}` cannot be read: {cause}. Remove its row, and the stream \
                     is read again",
                    books::TITLE
                ))
            })?;
            if stream == GLOBAL {
                state.global = data;
            } else {
                state.streams.insert(stream.to_owned(), data);
            }
        }
        Ok(Some(state))
    }

    async fn forget(&self) -> Result<(), SheetsError> {
        let Some(spreadsheet) = self.spreadsheet()? else { return Ok(()) };
        let mut books = look(&spreadsheet).await?.books;
        let kept = books.of_kind(Kind::State).filter(|(sync, _, _)| *sync == self.sync_id);
        let streams: Vec<String> = kept.map(|(_, stream, _)| stream.to_owned()).collect();
        for stream in streams {
            books.remove(Kind::State, &self.sync_id, &stream);
        }
        for request in ranges::requests(books.take_changes().ranges, REQUEST) {
            spreadsheet.write(&request, false).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for SheetsStateStore {
    async fn load(&self) -> Result<Option<SourceState>, ConnectorError> {
        Ok(self.read().await?)
    }

    async fn clear(&self) -> Result<(), ConnectorError> {
        Ok(self.forget().await?)
    }
}
