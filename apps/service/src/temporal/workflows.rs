//! The workflow types: what starts, signals and asks them. What they do is in [`super::lifecycle`] and [`super::backfill`].

#![allow(
    missing_docs,
    reason = "the constants that the macro makes carry none; the methods that they stand for do"
)]

use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult};

use super::call::{Anything, Call};
use super::options::{BackfillOptions, PipelineOptions};
use super::outcome::BackfillOutcome;
use super::trouble::Troubles;
use super::{backfill, lifecycle};
use crate::standing::{Stage, Status};

/// The life of one pipeline.
#[workflow]
pub struct PipelineWorkflow {
    pub(super) id: String,
    pub(super) options: PipelineOptions,
    /// What it is at, and whether it waits.
    pub(super) status: Status,
    pub(super) stage: Option<Stage>,
    /// Operations of this run; the next one counts anew.
    pub(super) operations: u32,
    /// How many signals came, and how many of them the last look at the store covers.
    pub(super) signals: u64,
    pub(super) seen: u64,
    /// What runs is to end: a pause was signalled.
    pub(super) interrupt: bool,
    /// What failed is to be tried again: somebody changed something.
    pub(super) hurry: bool,
    /// Why the store says that it does not get on.
    pub(super) problem: Option<String>,
    /// Grows with each record that is moved, and with each failure, which has a wait of its own; and how many rounds in a row
    /// left it as it was.
    pub(super) progress: u64,
    pub(super) idle: u32,
}

/// The answer to the query `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineStatus {
    /// What it is at: of `setup`, `backfill`, `ready`, `paused`, `teardown`.
    pub status: Status,
    /// What runs at present; nothing while it waits.
    pub stage: Option<Stage>,
    /// Operations over all runs of the workflow.
    pub operations: u64,
    /// The workflow's first run, which its steps are known by.
    pub run_id: Option<String>,
    /// The run of the backfill or comparison that is not over.
    pub backfill_run_id: Option<String>,
    /// How many backfills and comparisons are over.
    pub backfill_count: u64,
    /// The streams that stand failed; they are tried again whenever events are followed.
    pub failed_streams: Vec<String>,
    /// What failed, and when it is tried again.
    pub troubles: Troubles,
    /// Why the store says that it does not get on.
    pub problem: Option<String>,
}

#[workflow_methods]
impl PipelineWorkflow {
    #[init]
    fn new(context: &WorkflowContextView, call: Call<PipelineOptions>) -> Self {
        let Call { id, mut options } = call;
        options.state.run_id.get_or_insert_with(|| context.first_execution_run_id().to_owned());
        PipelineWorkflow {
            id,
            options,
            status: Status::Setup,
            stage: None,
            operations: 0,
            signals: 0,
            seen: 0,
            interrupt: false,
            hurry: false,
            problem: None,
            progress: 0,
            idle: 0,
        }
    }

    /// Carries the pipeline through its life, until it is torn down.
    #[run(name = "pipelineWorkflow")]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        lifecycle::run(context).await
    }

    /// Something waits in the store. What the signal carries is not looked at.
    #[signal(name = "source_input")]
    pub fn source_input(&mut self, _context: &mut SyncWorkflowContext<Self>, _input: Anything) {
        self.signals += 1;
    }

    /// The user changed what is wanted. `true` ends what runs; `false` tries again what failed. Whether the pipeline then
    /// rests, the store says.
    #[signal(name = "paused")]
    pub fn paused(&mut self, _context: &mut SyncWorkflowContext<Self>, paused: bool) {
        self.signals += 1;
        if paused {
            self.interrupt = true;
        } else {
            self.hurry = true;
        }
    }

    /// Where it is.
    #[query(name = "status")]
    pub fn status(&self, _context: &WorkflowContextView) -> PipelineStatus {
        let state = &self.options.state;
        PipelineStatus {
            status: self.status,
            stage: self.stage,
            operations: state.operations,
            run_id: state.run_id.clone(),
            backfill_run_id: state.backfill_run_id.clone(),
            backfill_count: state.backfill_count,
            failed_streams: state.failed_streams.clone(),
            troubles: state.troubles.clone(),
            problem: self.problem.clone(),
        }
    }
}

/// One backfill, or one comparison, step by step.
#[workflow]
pub struct PipelineBackfill {
    pub(super) id: String,
    pub(super) options: BackfillOptions,
}

#[workflow_methods]
impl PipelineBackfill {
    #[init]
    fn new(context: &WorkflowContextView, call: Call<BackfillOptions>) -> Self {
        let Call { id, mut options } = call;
        options.run_id.get_or_insert_with(|| context.first_execution_run_id().to_owned());
        PipelineBackfill { id, options }
    }

    /// Steps until it is over, fails, or is no longer wanted. It fails never: what failed is in its outcome.
    #[run(name = "pipelineBackfill")]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<BackfillOutcome> {
        backfill::run(context).await
    }

    /// Its options as they are now, with what it did so far.
    #[query(name = "status")]
    pub fn status(&self, _context: &WorkflowContextView) -> BackfillOptions {
        self.options.clone()
    }
}
