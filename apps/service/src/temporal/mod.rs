//! The orchestrator on Temporal, for many workers: the steps of the embedded one as a workflow's activities.
//!
//! Names are those of upstream: the workflow `pipelineWorkflow`, whose id is the pipeline's, its child `pipelineBackfill`, the
//! activities `pipelineSetup`, `pipelineSync`, `pipelineTeardown`, `updatePipelineStatus`, the signals `source_input` and
//! `paused`. What travels is small: ids, limits, counts. State and deliveries stay in the store; a signal only says "look".

mod activities;
mod announcing;
mod backfill;
mod call;
mod children;
mod client;
mod lifecycle;
mod link;
mod live;
mod options;
mod outcome;
mod service;
mod steps;
mod trouble;
mod worker;
mod workflows;

pub use announcing::Workflows;
pub use call::Call;
pub use client::{Address, Client, ClientError, Described, Tls};
pub use link::Link;
pub use options::{BackfillOptions, Carried, PipelineOptions, Retry, SyncOptions};
pub use outcome::{BackfillOutcome, Failed};
pub use service::ServiceSteps;
pub use steps::{Beat, Snapshot, StepFailure, StepReport, Steps};
pub use trouble::{Trouble, Troubles};
pub use worker::{WorkerError, WorkerOptions, run};
pub use workflows::{PipelineBackfill, PipelineStatus, PipelineWorkflow};

/// The task queue unless another is asked for, as upstream's.
pub const TASK_QUEUE: &str = "sync-engine";

/// The namespace unless another is asked for.
pub const NAMESPACE: &str = "default";
