//! The life of one pipeline: look at the store, do what is due, wait for a signal or for the time of the next thing; at last
//! the teardown. Nothing but the teardown ends it: what fails waits and is tried again.

use std::pin::pin;
use std::time::Duration;

use temporalio_sdk::workflows::select;
use temporalio_sdk::{
    ContinueAsNewOptions, TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowResult, WorkflowTermination,
};

use super::call::Call;
use super::children::backfill;
use super::live::{continues, look, now, step};
use super::options::SyncOptions;
use super::outcome::Failed;
use super::steps::{Snapshot, StepReport};
use super::workflows::PipelineWorkflow;
use crate::pipeline::DesiredStatus;
use crate::standing::{Stage, Status};

pub(super) type Context = WorkflowContext<PipelineWorkflow>;

/// The name under which a look at the store that failed is remembered; the steps have their stages' names.
const LOOK: &str = "look";

/// A round that moved nothing in less than so long, in milliseconds, did nothing.
const BREATH_MS: u64 = 1_000;
/// So many rounds in a row may do nothing; a setup counts as one.
const FREE_ROUNDS: u32 = 3;
/// The wait is doubled so often at most: it ends at a minute.
const LONGEST_BREATH: u32 = 6;

/// What follows one round.
enum Next {
    /// Another one.
    Again,
    /// Another one after a signal, or at this time in milliseconds since 1970.
    Rest(u64),
    /// Nothing: there is no such pipeline.
    Gone,
    /// The teardown.
    Teardown,
}

pub(super) async fn run(context: &Context) -> WorkflowResult<()> {
    let limit = context.state(|state| state.options.operations_limit);
    loop {
        let cancelled = context.cancellation_token().is_cancelled();
        let (began, progress) = (now(context), context.state(|state| state.progress));
        let teardown = context.state(|state| state.options.state.teardown);
        let next = if cancelled || teardown { Next::Teardown } else { round(context).await };
        match next {
            // A cancellation ends the round early: what it found then counts for nothing.
            _ if !cancelled && !teardown && context.cancellation_token().is_cancelled() => continue,
            Next::Again => {
                if let Some(wait) = breath(context, began, progress) {
                    rest(context, now(context).saturating_add(wait), context.cancellation_token()).await;
                }
            }
            Next::Rest(until) => rest(context, until, context.cancellation_token()).await,
            Next::Gone => return Ok(()),
            Next::Teardown => {
                if tear_down(context).await {
                    return if cancelled { Err(WorkflowTermination::cancelled()) } else { Ok(()) };
                }
            }
        }
        if continues(context, context.state(|state| state.operations), limit) {
            // Signals that came in are nothing to carry along: the next run begins with a look at the store.
            let call = context.state(|state| Call::new(state.id.clone(), state.options.clone()));
            context.continue_as_new(call, ContinueAsNewOptions::default())?;
        }
    }
}

/// How long to wait after a round, in milliseconds: rounds that end at once and move nothing are made less and less often, so
/// that a step which finds nothing to do, where the store says that there is something, does not turn in circles.
fn breath(context: &Context, began: u64, progress: u64) -> Option<u64> {
    let idle =
        now(context).saturating_sub(began) < BREATH_MS && context.state(|state| state.progress) == progress;
    let rounds = context.state_mut(|state| {
        state.idle = if idle { state.idle.saturating_add(1) } else { 0 };
        state.idle
    });
    let doubled = rounds.checked_sub(FREE_ROUNDS)?.min(LONGEST_BREATH);
    Some(BREATH_MS << doubled)
}

/// One look at the store, and everything that is due then, one after the other: one thing that always has more to do does not
/// keep another from its turn.
async fn round(context: &Context) -> Next {
    let (id, status, retry) = context.state_mut(|state| {
        state.seen = state.signals;
        state.interrupt = false;
        if std::mem::take(&mut state.hurry) {
            state.options.state.troubles.hurry();
        }
        (state.id.clone(), state.status, state.options.retry)
    });
    let snapshot = match look(context, &id, status, retry, context.cancellation_token()).await {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return Next::Gone,
        Err(failed) if failed.gone => return Next::Gone,
        Err(failed) => {
            record(context, LOOK, failed);
            return Next::Rest(next_try(context));
        }
    };
    context.state_mut(|state| {
        state.options.state.troubles.clear(LOOK);
        state.problem.clone_from(&snapshot.problem);
        state.options.follow_ms = snapshot.follow_ms.unwrap_or(state.options.follow_ms);
        state.status = status_of(&snapshot);
    });
    match snapshot.desired {
        DesiredStatus::Deleted => Next::Teardown,
        DesiredStatus::Paused => {
            Next::Rest(now(context).saturating_add(context.state(|state| state.options.look_ms)))
        }
        DesiredStatus::Active => active(context, &snapshot).await,
    }
}

/// The status that upstream's clients know.
fn status_of(snapshot: &Snapshot) -> Status {
    match snapshot.desired {
        DesiredStatus::Deleted => Status::Teardown,
        DesiredStatus::Paused => Status::Paused,
        DesiredStatus::Active if !snapshot.set_up => Status::Setup,
        DesiredStatus::Active if !snapshot.backfilled => Status::Backfill,
        DesiredStatus::Active => Status::Ready,
    }
}

/// What is due of a pipeline that is to be kept current.
async fn active(context: &Context, snapshot: &Snapshot) -> Next {
    let mut did = false;
    if !snapshot.set_up {
        if !due(context, Stage::Setup) {
            return Next::Rest(next_try(context));
        }
        single(context, Stage::Setup).await;
        return Next::Again;
    }
    context.state_mut(|state| state.options.state.troubles.clear(Stage::Setup.as_str()));
    if snapshot.waiting > 0 && due(context, Stage::Deliver) {
        single(context, Stage::Deliver).await;
        did = true;
    }
    if !snapshot.backfilled && due(context, Stage::Backfill) && !interrupted(context) {
        backfill(context, Stage::Backfill).await;
        did = true;
    } else if snapshot.backfilled
        && snapshot.reconcile_due
        && due(context, Stage::Reconcile)
        && !interrupted(context)
    {
        backfill(context, Stage::Reconcile).await;
        did = true;
    }
    if snapshot.backfilled
        && follow_at(context) <= now(context)
        && due(context, Stage::Follow)
        && !interrupted(context)
    {
        let report = single(context, Stage::Follow).await;
        if report.is_some_and(|report| !report.has_more) {
            let now = now(context);
            context.state_mut(|state| state.options.state.followed_at = now);
        }
        did = true;
    }
    if did {
        return Next::Again;
    }
    let follow = if snapshot.backfilled { follow_at(context) } else { u64::MAX };
    Next::Rest(follow.min(next_try(context)))
}

/// Whether a pause or a cancellation wants the round to end.
pub(super) fn interrupted(context: &Context) -> bool {
    context.cancellation_token().is_cancelled() || context.state(|state| state.interrupt)
}

fn due(context: &Context, stage: Stage) -> bool {
    let now = now(context);
    context.state(|state| state.options.state.troubles.due(stage.as_str(), now))
}

/// When events are followed next.
fn follow_at(context: &Context) -> u64 {
    context.state(|state| state.options.state.followed_at.saturating_add(state.options.follow_ms))
}

/// When the first thing that failed is tried again; when the store is asked anyway, if nothing did.
fn next_try(context: &Context) -> u64 {
    let now = now(context);
    context.state(|state| {
        let look = now.saturating_add(state.options.look_ms);
        // What was due already waits for another thing that failed, not for the clock.
        state.options.state.troubles.next_after(now).map_or(look, |at| at.min(look))
    })
}

/// Remembers that something failed, unless it was only cancelled.
pub(super) fn record(context: &Context, name: &str, failed: Failed) {
    if failed.cancelled {
        return;
    }
    let now = now(context);
    context.state_mut(|state| {
        state.progress += 1;
        let options = state.options.clone();
        state.options.state.troubles.record(name, failed, now, &options);
    });
}

/// Counts an operation towards continuing as new.
pub(super) fn count(context: &Context) {
    context.state_mut(|state| {
        state.operations += 1;
        state.options.state.operations += 1;
    });
}

/// One step; a failure is remembered.
async fn single(context: &Context, stage: Stage) -> Option<StepReport> {
    let (id, sync, retry) = context.state_mut(|state| {
        state.stage = Some(stage);
        let options = &state.options;
        let sync = SyncOptions::new(stage, options.live_chunk_ms, options.state.run_id.clone());
        (state.id.clone(), sync, options.retry)
    });
    let token = context.cancellation_token().child_token();
    let done = interruptible(context, &token, step(context, &id, sync, retry, token.clone())).await;
    count(context);
    context.state_mut(|state| state.stage = None);
    match done {
        Ok(report) => {
            context.state_mut(|state| {
                state.progress += report.records;
                let carried = &mut state.options.state;
                carried.troubles.clear(stage.as_str());
                if stage == Stage::Follow {
                    carried.failed_streams.clone_from(&report.failed_streams);
                }
            });
            Some(report)
        }
        Err(failed) => {
            record(context, stage.as_str(), failed);
            None
        }
    }
}

/// Waits for `work`; a pause cancels its `token`, and it is waited for until it has come to an end.
pub(super) async fn interruptible<T>(
    context: &Context,
    token: &WorkflowCancellationToken,
    work: impl Future<Output = T>,
) -> T {
    use futures::FutureExt;
    let mut work = pin!(work.fuse());
    let mut interrupt = pin!(context.wait_condition(|state| state.interrupt));
    select! {
        done = work => return done,
        _ = interrupt => token.cancel_with_reason("it is to rest"),
    }
    work.await
}

/// Waits until a signal comes, or until `until`.
async fn rest(context: &Context, until: u64, token: WorkflowCancellationToken) {
    let wait = until.saturating_sub(now(context)).max(1);
    let timing = token.child_token();
    let options =
        TimerOptions::builder(Duration::from_millis(wait)).cancellation_token(timing.clone()).build();
    let mut timer = pin!(context.timer(options));
    let waiting = WaitConditionOptions::builder().cancellation_token(token).build();
    let mut signalled = pin!(
        context.wait_condition_with_options(|state: &PipelineWorkflow| state.signals != state.seen, waiting)
    );
    select! {
        _ = signalled => timing.cancel(),
        _ = timer => {}
    }
}

/// Tears down; nothing calls it back, not even a cancellation. Whether it is over: else it is tried again.
async fn tear_down(context: &Context) -> bool {
    let (id, retry) = context.state_mut(|state| {
        state.status = Status::Teardown;
        state.stage = Some(Stage::Teardown);
        state.options.state.teardown = true;
        state.seen = state.signals;
        (state.id.clone(), state.options.retry)
    });
    let looked = look(context, &id, Status::Teardown, retry, WorkflowCancellationToken::new()).await;
    if matches!(looked, Ok(None)) {
        return true;
    }
    let sync = SyncOptions { stage: Stage::Teardown, ..SyncOptions::default() };
    let done = step(context, &id, sync, retry, WorkflowCancellationToken::new()).await;
    count(context);
    match done {
        // Its worker stopped: the next one goes on.
        Ok(report) if report.has_more => return false,
        Ok(_) => return true,
        Err(failed) if failed.gone => return true,
        Err(failed) => record(context, Stage::Teardown.as_str(), failed),
    }
    context.state_mut(|state| state.stage = None);
    rest(context, next_try(context), WorkflowCancellationToken::new()).await;
    false
}
