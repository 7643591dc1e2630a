//! What each stage is.

use engine::{Outcome, Reconcile};
use protocol::{EofPayload, ErrorKind, LogLevel, StreamRunStatus, counted};

use super::following::{ending, staying};
use super::syncing::{Asked, Share};
use super::{StepFailure, StepReport, Work};
use crate::standing::Stage;

impl Work<'_> {
    /// Does the stage.
    pub(super) async fn stage(&mut self, stage: Stage) -> Result<StepReport, StepFailure> {
        match stage {
            Stage::Setup => self.set_up().await,
            Stage::Backfill => self.backfill().await,
            Stage::Deliver => self.deliver().await,
            Stage::Follow => self.follow().await,
            Stage::Reconcile => self.reconcile().await,
            Stage::Teardown => self.tear_down().await,
            Stage::Manual => {
                Err(StepFailure::Failed { message: "a sync by hand is no stage".to_owned(), lasting: true })
            }
        }
    }

    /// Reads the lists, and then the events that happened meanwhile.
    async fn backfill(&mut self) -> Result<StepReport, StepFailure> {
        let now = self.steps.store.now().await?;
        // A stream that failed is left out of the rest of its run, and would not hear of changes meanwhile.
        let goes_on = !self.standing.backfilled && self.standing.failed_streams().next().is_none();
        let run_id = match self.standing.run_id.clone().filter(|_| goes_on) {
            Some(run_id) => run_id,
            None => {
                let run_id = uuid::Uuid::new_v4().to_string();
                self.standing.run_id = Some(run_id.clone());
                self.standing.backfilled = false;
                self.standing.backfill_began_at = Some(now);
                // What was done is another run's.
                self.standing.progress = None;
                // A kill must not begin another run.
                self.steps.store.save(&self.held.lease, &self.standing, None).await?;
                self.journal.say(LogLevel::Info, format!("Backfill begins, run {run_id}"));
                run_id
            }
        };
        let pipeline = ending(self.record.pipeline.config());
        let eof = self
            .sync(Asked { pipeline, run_id: Some(run_id), input: None, is_run: true, share: Share::Whole })
            .await?;
        self.standing.progress = Some(eof.run_progress.clone());
        let streams = &eof.run_progress.streams;
        let done = !eof.has_more || streams.values().all(|stream| stream.status.is_terminal());
        if done {
            let now = self.steps.store.now().await?;
            self.standing.backfilled = true;
            self.standing.backfilled_at = Some(now);
            self.standing.followed_at = Some(now);
            let records = eof.run_progress.derived.total_record_count;
            let failed = streams.values().filter(|stream| stream.status == StreamRunStatus::Errored).count();
            let (records, streams) = (counted(records, "record"), counted(streams.len(), "stream"));
            let text = format!("Backfill over: {records}, {failed} of {streams} failed");
            self.journal.say(if failed > 0 { LogLevel::Warn } else { LogLevel::Info }, text);
        }
        Ok(StepReport { has_more: !done, records: eof.request_progress.derived.total_record_count })
    }

    /// Reads what happened since the last time, and lists whose changes no event tells; streams that failed are tried again.
    async fn follow(&mut self) -> Result<StepReport, StepFailure> {
        let began = self.steps.store.now().await?;
        let whole = self.record.pipeline.config();
        let stays = staying(&whole);
        let listening = stays.is_some();
        let pipeline = stays.unwrap_or_else(|| ending(whole));
        let run_id = Some(format!("follow-{}", uuid::Uuid::new_v4()));
        let eof =
            self.sync(Asked { pipeline, run_id, input: None, is_run: false, share: Share::Nothing }).await?;
        self.remember(&eof);
        let has_more = eof.has_more && !listening;
        if !has_more {
            self.standing.followed_at = Some(began);
        }
        Ok(StepReport { has_more, records: eof.request_progress.derived.total_record_count })
    }

    /// Compares the copy with its source, and repairs it.
    async fn reconcile(&mut self) -> Result<StepReport, StepFailure> {
        let discovered = self.steps.discovered(&self.record).await?;
        let request = Reconcile {
            discovered: Some(discovered),
            sync_id: Some(format!("service/{}", self.record.pipeline.id)),
            repair: true,
            limit: self.bounds.limit,
            stop: self.bounds.stop.clone(),
            ..Reconcile::new(self.record.pipeline.config())
        };
        let report = match self.steps.engines.reconcile(request).await {
            Ok(None) => {
                let text = "The copy is not compared with its source: the engine elsewhere has no comparison; \
                            it is older than this service, update it";
                self.journal.say(LogLevel::Warn, text);
                None
            }
            Ok(report) => report,
            // A destination that cannot be read back.
            Err(error) if error.kind() == ErrorKind::Config => {
                self.journal
                    .say(LogLevel::Warn, format!("The copy cannot be compared with its source: {error}"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        let now = self.steps.store.now().await?;
        let Some(report) = report else {
            // Nobody compares again before the next time.
            self.standing.reconcile_tried_at = Some(now);
            return Ok(StepReport::default());
        };
        let repaired: u64 = report
            .streams
            .iter()
            .map(|stream| stream.missing.repaired + stream.different.repaired + stream.extra.repaired)
            .sum();
        for stream in &report.streams {
            if let Outcome::Failed { reason } = &stream.outcome {
                self.journal.say(LogLevel::Warn, format!("Comparing {}: {reason}", stream.stream));
            }
        }
        if report.finished {
            self.standing.reconciled_at = Some(now);
            self.standing.repaired = Some(repaired);
            let level = if repaired > 0 { LogLevel::Warn } else { LogLevel::Info };
            self.journal
                .say(level, format!("Compared with the source: {} repaired", counted(repaired, "row")));
        }
        Ok(StepReport { has_more: !report.finished, records: repaired })
    }

    /// Brings the progress of the backfill up to date with what a later sync says of its streams.
    fn remember(&mut self, eof: &EofPayload) {
        let Some(progress) = &mut self.standing.progress else { return };
        for (name, stream) in &eof.request_progress.streams {
            if !stream.status.is_terminal() {
                continue;
            }
            let known = progress.streams.entry(name.clone()).or_default();
            known.status = stream.status;
            known.message.clone_from(&stream.message);
        }
    }
}
