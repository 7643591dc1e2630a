//! The log of a pipeline.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_api::{ApiError, KEEP_ALIVE, Lines, ndjson};
use tokio_util::sync::CancellationToken;

use super::pipelines::failed;
use super::query::Query;
use super::{Named, Shared};
use crate::store::{Entry, Store, StoreError};

/// Entries in one answer, unless told otherwise; and the most of them.
const PAGE: u64 = 200;
const MOST: u64 = 10_000;

/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// `GET /pipelines/{id}/logs`.
pub(super) async fn entries(
    server: Shared,
    Named(id): Named,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let run_id = query.text("run_id");
    let after = query.count("after", 0, i64::MAX as u64).and_then(|after| i64::try_from(after).ok());
    let limit = query.count("limit", 1, MOST).unwrap_or(PAGE);
    let follow = query.switch("follow");
    query.finish()?;
    // Of one that is deleted the log says why it is not gone yet.
    server.known(&id).await?;
    let store = server.service.store().clone();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let first = store.entries(&id, run_id.as_deref(), after, limit).await.map_err(failed)?;
    let last = first.last().map(|entry| entry.sequence).or(after).unwrap_or(0);
    let stop = server.options.stop.clone();
    let log = LogLines { store, id, run_id, last, ready: first.into(), follow, stop, looking: None };
    Ok(ndjson(log, KEEP_ALIVE))
}

/// `None` where the pipeline is gone.
type Looked = Result<Option<Vec<Entry>>, StoreError>;

/// Entries as lines; followed, they end with their pipeline.
struct LogLines {
    store: Store,
    id: String,
    run_id: Option<String>,
    last: i64,
    ready: VecDeque<Entry>,
    follow: bool,
    stop: CancellationToken,
    looking: Option<BoxFuture<'static, Looked>>,
}

impl LogLines {
    fn look(&self) -> BoxFuture<'static, Looked> {
        let (store, id, run_id, last) = (self.store.clone(), self.id.clone(), self.run_id.clone(), self.last);
        async move {
            tokio::time::sleep(LOOK).await;
            let entries = store.entries(&id, run_id.as_deref(), Some(last), PAGE as usize).await?;
            Ok(if entries.is_empty() && !store.exists(&id).await? { None } else { Some(entries) })
        }
        .boxed()
    }
}

impl Lines for LogLines {
    fn poll_lines(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<()>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.last = self.last.max(entry.sequence);
                if serde_json::to_writer(&mut *out, &entry).is_ok() {
                    out.push(b'\n');
                }
                return Poll::Ready(Some(()));
            }
            if !self.follow || self.stop.is_cancelled() {
                return Poll::Ready(None);
            }
            if self.looking.is_none() {
                self.looking = Some(self.look());
            }
            let Some(looking) = &mut self.looking else { return Poll::Ready(None) };
            match looking.poll_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(found) => {
                    self.looking = None;
                    match found {
                        Ok(Some(entries)) => self.ready = entries.into(),
                        Ok(None) => return Poll::Ready(None),
                        // It is looked at again; whoever follows sees nothing new meanwhile.
                        Err(error) => tracing::warn!(error = %error, "a log cannot be read"),
                    }
                }
            }
        }
    }
}
