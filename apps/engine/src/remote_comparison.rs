//! A comparison that an engine elsewhere does.

use futures::StreamExt;
use protocol::Payload;

use crate::reconcile::{INTERRUPTED, Told};
use crate::remote::{Failed, RECONCILE, RemoteEngine};
use crate::{EngineError, Reconcile, ReconcileReport, StreamReport, configure};

impl RemoteEngine {
    /// See [`crate::Engine::reconcile`]. What is logged there is logged here. Being stopped ends the request, and with it the
    /// work: the position there is that of the last part, and the report is of what was heard of.
    pub async fn reconcile(
        &self,
        request: Reconcile,
        mut told: impl FnMut(&StreamReport),
    ) -> Result<ReconcileReport, EngineError> {
        let mut messages = self.failing(self.pipeline_reconcile(&request), Failed::AtAnyTime);
        let mut heard = Vec::new();
        let mut spent = 0;
        loop {
            let message = tokio::select! {
                biased;
                () = request.stop.cancelled() => return interrupted(&request, heard, spent),
                message = messages.next() => message,
            };
            let Some(message) = message else { break };
            let message = message?;
            match (Told::of(&message), message.payload) {
                (Some(Told::Stream { report, requests }), _) => {
                    told(&report);
                    spent = requests;
                    heard.push(report);
                }
                (Some(Told::Whole(report)), _) => return Ok(report),
                (None, Payload::Log(log)) => logger::relog(&log),
                _ => {}
            }
        }
        Err(EngineError::Remote(format!("Engine {RECONCILE}: the answer ended without a report")))
    }
}

/// The report of streams of which some were not heard of before somebody stopped it.
fn interrupted(
    request: &Reconcile,
    mut heard: Vec<StreamReport>,
    requests: u64,
) -> Result<ReconcileReport, EngineError> {
    if let Some(discovered) = &request.discovered {
        let selected = request.pipeline.streams.as_deref().unwrap_or_default();
        let configured = configure(discovered, selected)?;
        let names = configured.names().skip(heard.len());
        let rest: Vec<StreamReport> =
            names.map(|name| StreamReport::new(name).stopped(INTERRUPTED)).collect();
        heard.extend(rest);
    }
    Ok(ReconcileReport { finished: false, ..ReconcileReport::of(heard, requests) })
}
