//! One backfill, or one comparison, step by step. Between its steps it applies what was delivered, since it alone may hold the
//! pipeline's lease meanwhile.

use std::time::Duration;

use temporalio_sdk::{ContinueAsNewOptions, WorkflowContext, WorkflowResult, WorkflowTermination};

use super::call::Call;
use super::live::{continues, look, now, step};
use super::options::{BackfillOptions, Retry, SyncOptions};
use super::outcome::{BackfillOutcome, Failed};
use super::workflows::PipelineBackfill;
use crate::pipeline::DesiredStatus;
use crate::standing::{Stage, Status};

/// A step that moved nothing and ended sooner than this is not repeated before.
const BREATH: Duration = Duration::from_secs(1);

type Context = WorkflowContext<PipelineBackfill>;

pub(super) async fn run(context: &Context) -> WorkflowResult<BackfillOutcome> {
    let limit = context.state(|state| state.options.steps_limit);
    let mut steps = 0;
    // What fails between the steps is left to the parent, which waits before it tries again.
    let mut live = true;
    loop {
        match wanted(context).await {
            Ok(Some(waiting)) => live = live && between(context, waiting).await,
            Ok(None) => return ended(context, false, Vec::new(), None),
            Err(failed) => return ended(context, false, Vec::new(), Some(failed)),
        }
        let began = now(context);
        let (id, options) = context.state(|state| (state.id.clone(), state.options.clone()));
        let sync = SyncOptions::new(options.stage, options.chunk_ms, options.run_id);
        let report = match step(context, &id, sync, options.retry, context.cancellation_token()).await {
            Ok(report) => report,
            Err(failed) => return ended(context, false, Vec::new(), Some(failed)),
        };
        steps += 1;
        context.state_mut(|state| {
            state.options.steps += 1;
            state.options.records += report.records;
        });
        if !report.has_more {
            return ended(context, true, report.failed_streams, None);
        }
        if report.records == 0 && Duration::from_millis(now(context).saturating_sub(began)) < BREATH {
            context.timer(BREATH).await;
        }
        if continues(context, steps, limit) {
            let next = context.state(|state| Call::new(state.id.clone(), state.options.clone()));
            context.continue_as_new(next, ContinueAsNewOptions::default())?;
        }
    }
}

/// How it ended; cancelled, when it was, whatever else happened.
fn ended(
    context: &Context,
    done: bool,
    failed_streams: Vec<String>,
    failed: Option<Failed>,
) -> WorkflowResult<BackfillOutcome> {
    if !done && context.cancellation_token().is_cancelled() {
        return Err(WorkflowTermination::cancelled());
    }
    let BackfillOptions { records, steps, followed_at, .. } = context.state(|state| state.options.clone());
    Ok(BackfillOutcome { done, records, steps, failed_streams, followed_at, failed })
}

/// How many deliveries wait, while it is still wanted.
async fn wanted(context: &Context) -> Result<Option<u64>, Failed> {
    let (id, options) = context.state(|state| (state.id.clone(), state.options.clone()));
    let status = if options.stage == Stage::Reconcile { Status::Ready } else { Status::Backfill };
    let snapshot = look(context, &id, status, options.retry, context.cancellation_token()).await?;
    let wanted = snapshot.filter(|snapshot| snapshot.desired == DesiredStatus::Active && snapshot.set_up);
    Ok(wanted.map(|snapshot| snapshot.waiting))
}

/// Applies what was delivered and, beside a comparison, follows events when it is time. Whether all went well.
async fn between(context: &Context, waiting: u64) -> bool {
    let (id, options) = context.state(|state| (state.id.clone(), state.options.clone()));
    let once = Retry { attempts: 1, ..options.retry };
    let run = |stage| {
        let sync = SyncOptions::new(stage, options.chunk_ms, options.run_id.clone());
        step(context, &id, sync, once, context.cancellation_token())
    };
    if waiting > 0 && run(Stage::Deliver).await.is_err() {
        return false;
    }
    let due = now(context) >= options.followed_at.saturating_add(options.follow_ms);
    if options.stage == Stage::Reconcile && due {
        match run(Stage::Follow).await {
            Ok(report) if report.has_more => {}
            Ok(_) => {
                let followed_at = now(context);
                context.state_mut(|state| state.options.followed_at = followed_at);
            }
            Err(_) => return false,
        }
    }
    true
}
