//! Handing batches to the task that writes.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Batch, BatchWriter, ConnectorError, RawJson};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::actor::{Actor, Claim, Job, Work};
use crate::workbook::Workbook;

/// Jobs that wait; the write loop has no more than one of each stream.
const WAITING: usize = 128;

/// Writes the batches of one sync. What is under way ends with it.
pub(crate) struct SheetsWriter {
    jobs: mpsc::Sender<Job>,
    task: AbortHandle,
}

impl Drop for SheetsWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SheetsWriter {
    /// A writer into a spreadsheet whose rows were just read.
    pub(crate) fn new(workbook: Workbook, sync_id: Option<String>, minute: Duration) -> SheetsWriter {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let actor = Actor { workbook, sync_id, minute, claim: Claim::new() };
        let task = tokio::spawn(actor.run(waiting)).abort_handle();
        SheetsWriter { jobs, task }
    }

    async fn hand_in(&self, work: Work) -> Result<(), ConnectorError> {
        let (done, outcome) = oneshot::channel();
        let stopped = || ConnectorError::internal("the Google Sheets writer stopped unexpectedly");
        self.jobs.send(Job { work, done }).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

impl BatchWriter for SheetsWriter {
    /// What becomes of a row depends on the rows that are there.
    type Prepared = ();

    fn prepare(&self, _: &Batch) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn commit(&self, batch: Arc<Batch>, (): ()) -> Result<(), ConnectorError> {
        self.hand_in(Work::Batch(batch)).await
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        self.hand_in(Work::Global(state)).await
    }
}
