//! The child workflows of a pipeline: its backfill and its comparisons.

use temporalio_sdk::{ChildWorkflowExecutionError, ChildWorkflowOptions, WorkflowCancellationToken};

use super::call::Call;
use super::lifecycle::{Context, count, interruptible, record};
use super::live::now;
use super::options::BackfillOptions;
use super::outcome::{BackfillOutcome, Failed};
use super::workflows::PipelineBackfill;
use crate::standing::Stage;

/// Runs a backfill or a comparison as a child, until it is over, fails, or a pause ends it.
pub(super) async fn backfill(context: &Context, stage: Stage) {
    let (id, options, first) = context.state_mut(|state| {
        state.stage = Some(stage);
        let options = &mut state.options;
        let carried = &mut options.state;
        let run_id = carried.backfill_run_id.get_or_insert_with(|| context.uuid4()).clone();
        let chunk_ms = if stage == Stage::Backfill { options.chunk_ms } else { options.live_chunk_ms };
        let child = BackfillOptions {
            stage,
            run_id: Some(run_id),
            steps_limit: options.steps_limit,
            chunk_ms,
            follow_ms: options.follow_ms,
            followed_at: carried.followed_at,
            retry: options.retry,
            ..BackfillOptions::default()
        };
        (state.id.clone(), child, carried.backfill_count == 0)
    });
    let child_id = if first { format!("backfill-{id}") } else { format!("reconcile-{id}-{}", now(context)) };
    let token = context.cancellation_token().child_token();
    let ended =
        interruptible(context, &token, child(context, child_id, Call::new(id, options), token.clone())).await;
    count(context);
    context.state_mut(|state| state.stage = None);
    conclude(context, stage, ended);
}

/// Runs the child of this id.
async fn child(
    context: &Context,
    child_id: String,
    call: Call<BackfillOptions>,
    token: WorkflowCancellationToken,
) -> Result<BackfillOutcome, Failed> {
    let options =
        ChildWorkflowOptions::builder().workflow_id(child_id).cancellation_token(token.clone()).build();
    let cancelled = |message: String| Failed { cancelled: token.is_cancelled(), ..Failed::passing(message) };
    let started = context.start_child_workflow(PipelineBackfill::run, call, options).await;
    let ended = started.map_err(|error| cancelled(error.to_string()))?.result().await;
    ended.map_err(|error: ChildWorkflowExecutionError| {
        cancelled(error.reason().map_or_else(|| error.to_string(), ToString::to_string))
    })
}

/// Takes over what the child did.
fn conclude(context: &Context, stage: Stage, ended: Result<BackfillOutcome, Failed>) {
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(failed) => return record(context, stage.as_str(), failed),
    };
    context.state_mut(|state| {
        state.progress += outcome.records;
        let carried = &mut state.options.state;
        carried.followed_at = carried.followed_at.max(outcome.followed_at);
    });
    if let Some(failed) = outcome.failed {
        return record(context, stage.as_str(), failed);
    }
    if !outcome.done {
        return;
    }
    context.state_mut(|state| {
        let carried = &mut state.options.state;
        carried.backfill_count += 1;
        carried.backfill_run_id = None;
        carried.troubles.clear(stage.as_str());
        // They are no reason for another backfill: whoever follows events tries them again.
        carried.failed_streams = outcome.failed_streams;
    });
}
