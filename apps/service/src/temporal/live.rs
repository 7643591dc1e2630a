//! What both workflows do: run a step, ask where the pipeline stands, read the clock.

use std::time::{Duration, SystemTime};

use temporalio_common::RetryPolicy;
use temporalio_sdk::{ActivityCancellationType, ActivityOptions, WorkflowCancellationToken, WorkflowContext};

use super::activities::Activities;
use super::call::Call;
use super::options::{Retry, SyncOptions};
use super::outcome::Failed;
use super::steps::{Snapshot, StepReport};
use crate::standing::{Stage, Status};

/// Setup and teardown last so long at most; upstream's number.
const AROUND: Duration = Duration::from_secs(120);
/// A step of a sync lasts so long at most, where its own limit is lower; upstream's number.
const SYNC: Duration = Duration::from_secs(600);
/// What a step may need beyond its limit, to save its state.
const SLACK: Duration = Duration::from_secs(300);
/// Asking for the standing lasts so long at most; upstream's number.
const LOOK: Duration = Duration::from_secs(30);

/// The workflow's time, in milliseconds since 1970.
pub(super) fn now<W>(context: &WorkflowContext<W>) -> u64 {
    let time = context.workflow_time().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Says what the workflow is at, and learns where the pipeline stands; `None` when it is gone.
pub(super) async fn look<W>(
    context: &WorkflowContext<W>,
    id: &str,
    status: Status,
    retry: Retry,
    token: WorkflowCancellationToken,
) -> Result<Option<Snapshot>, Failed> {
    let options = ActivityOptions::with_start_to_close_timeout(LOOK)
        .retry_policy(policy(retry))
        .cancellation_token(token)
        .build();
    Ok(context.execute_activity(Activities::update_status, Call::new(id, Some(status)), options).await?)
}

/// Runs one step. Whoever cancels it waits until it has given the pipeline back.
pub(super) async fn step<W>(
    context: &WorkflowContext<W>,
    id: &str,
    sync: SyncOptions,
    retry: Retry,
    token: WorkflowCancellationToken,
) -> Result<StepReport, Failed> {
    let stage = sync.stage;
    let longest = match stage {
        Stage::Setup | Stage::Teardown => AROUND,
        _ => SYNC.max(sync.limit().unwrap_or_default() + SLACK),
    };
    let options = ActivityOptions::with_start_to_close_timeout(longest)
        .heartbeat_timeout(Duration::from_millis(retry.heartbeat_ms))
        .retry_policy(policy(retry))
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .summary(stage.as_str())
        .build();
    let id = id.to_owned();
    Ok(match stage {
        Stage::Setup => context.execute_activity(Activities::setup, id, options).await,
        Stage::Teardown => context.execute_activity(Activities::teardown, id, options).await,
        _ => context.execute_activity(Activities::sync, Call::new(id, sync), options).await,
    }?)
}

/// Whether a workflow that did `done` of at most `limit` operations continues as new: at its own limit, or where the server asks
/// for it.
pub(super) fn continues<W>(context: &WorkflowContext<W>, done: u32, limit: u32) -> bool {
    done >= limit || context.continue_as_new_suggested()
}

fn policy(retry: Retry) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(Duration::from_millis(retry.first_ms))
        .backoff_coefficient(2.0)
        .maximum_interval(Duration::from_millis(retry.longest_ms))
        .maximum_attempts(retry.attempts)
        .build()
}
