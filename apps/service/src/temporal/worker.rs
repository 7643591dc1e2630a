//! A worker: polls the task queue, and runs workflows and steps, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use protocol::with_causes;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::activities::Activities;
use super::client::{Client, ClientError};
use super::steps::Steps;
use super::workflows::{PipelineBackfill, PipelineWorkflow};

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// A step tells so often that it lives, and learns so often whether it is to stop.
    pub heartbeat: Duration,
    /// A worker that stops gives its steps so long to finish; then they are told to stop, and go on elsewhere.
    pub grace: Duration,
    /// So many steps run at once.
    pub at_once: usize,
}

/// So many tasks of other kinds run at once; each takes milliseconds.
const TASKS: usize = 100;

impl Default for WorkerOptions {
    /// 5 s each, and 16 steps.
    fn default() -> WorkerOptions {
        WorkerOptions { heartbeat: Duration::from_secs(5), grace: Duration::from_secs(5), at_once: 16 }
    }
}

/// Why a worker ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It could not connect.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Temporal refused it, or cannot be reached for good.
    #[error("the Temporal worker ended: {0}; check address, namespace and permissions")]
    Ended(String),
}

/// Runs `steps` for the task queue of `client` until `stop` is cancelled. Any number of workers may share a queue.
///
/// It must be called in a Tokio runtime: the steps run there; the workflows, which cannot move between threads, on a thread of
/// their own.
pub async fn run(
    client: &Client,
    steps: Arc<dyn Steps>,
    options: WorkerOptions,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let (done, ended) = oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    let (queue, client) = (client.task_queue().to_owned(), client.inner().clone());
    // When this future is dropped, the thread stops as well.
    let stop = stop.child_token();
    let _guard = stop.clone().drop_guard();
    std::thread::Builder::new()
        .name("temporal-worker".to_owned())
        .spawn(move || {
            let result = handle.block_on(poll(queue, client, steps, options, stop));
            // Nobody listens any more when the caller is gone.
            let _ = done.send(result);
        })
        .map_err(|error| WorkerError::Ended(error.to_string()))?;
    ended.await.unwrap_or_else(|_| Err(WorkerError::Ended("its thread panicked".to_owned())))
}

async fn poll(
    queue: String,
    client: temporalio_client::Client,
    steps: Arc<dyn Steps>,
    options: WorkerOptions,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let ended = |error: &dyn std::error::Error| WorkerError::Ended(with_causes(error));
    let runtime = Runtime::from_current_tokio(temporalio_sdk::runtime::RuntimeOptions::default())
        .map_err(|error| ended(&error))?;
    let slots = FixedSizeSlotSupplier::new;
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots(TASKS))
        .activity_task_slot_supplier(slots(options.at_once))
        .local_activity_task_slot_supplier(slots(TASKS))
        .nexus_task_slot_supplier(slots(TASKS))
        .build();
    let settings = temporalio_sdk::WorkerOptions::new(queue)
        .register_activities(Activities::new(steps, options.heartbeat))
        .register_workflow::<PipelineWorkflow>()
        .map_err(|error| ended(&error))?
        .register_workflow::<PipelineBackfill>()
        .map_err(|error| ended(&error))?
        // A cancellation is learnt from the answer to a heartbeat.
        .max_heartbeat_throttle_interval(options.heartbeat)
        .default_heartbeat_throttle_interval(options.heartbeat)
        // A workflow waits as long for the worker that knows it before any other takes it over.
        .sticky_queue_schedule_to_start_timeout(options.heartbeat)
        .graceful_shutdown_period(options.grace)
        .tuner(tuner)
        .build();
    let mut worker = Worker::new(&runtime, client, settings).map_err(|error| ended(&error))?;
    let shut_down = worker.shutdown_handle();
    let stopping = async {
        stop.cancelled().await;
        shut_down();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = worker.run() => result.map_err(|error| ended(&error)),
        () = stopping => Ok(()),
    }
}
