//! How far a pipeline is, and the status that follows from it. Nobody writes a status: it cannot lie.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ProgressPayload, StreamRunStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pipeline::DesiredStatus;

/// Where a pipeline stands, as upstream's clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Tables and endpoints are being made.
    Setup,
    /// The lists are being read for the first time, or again after a change.
    Backfill,
    /// Everything is there, and changes are followed.
    Ready,
    /// It rests.
    Paused,
    /// What it made is being removed.
    Teardown,
    /// It does not get on by itself at present; `error` says why.
    Error,
}

/// What is being done for a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Both sides are set up.
    Setup,
    /// Lists are read.
    Backfill,
    /// Deliveries are applied.
    Deliver,
    /// Stripe's events are followed.
    Follow,
    /// The copy is compared with its source.
    Reconcile,
    /// What setup made is removed.
    Teardown,
    /// A client syncs by hand.
    Manual,
}

impl Stage {
    const ALL: [Stage; 7] = [
        Stage::Setup,
        Stage::Backfill,
        Stage::Deliver,
        Stage::Follow,
        Stage::Reconcile,
        Stage::Teardown,
        Stage::Manual,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Setup => "setup",
            Stage::Backfill => "backfill",
            Stage::Deliver => "deliver",
            Stage::Follow => "follow",
            Stage::Reconcile => "reconcile",
            Stage::Teardown => "teardown",
            Stage::Manual => "manual",
        }
    }

    /// What is written so.
    pub fn parse(text: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// Why a pipeline does not get on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What was being done.
    pub stage: Stage,
    /// What went wrong, and what to do.
    pub message: String,
    /// Whether it lasts until somebody changes something; else it passes by itself.
    pub lasting: bool,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// When it was last tried, in milliseconds since 1970.
    pub at: i64,
    /// When it is tried again, in milliseconds since 1970.
    pub retry_at: i64,
}

/// What was delivered about a stream that failed, and waits until it works again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    /// Why it failed.
    pub message: String,
    /// The kinds of objects whose deliveries wait for it, so that later ones do not overtake them.
    pub kinds: BTreeSet<String>,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When the oldest delivery that waits arrived, in milliseconds since 1970.
    pub since: i64,
    /// When it was last tried, in milliseconds since 1970.
    pub at: i64,
    /// When it is tried again, in milliseconds since 1970.
    pub retry_at: i64,
}

/// How far a pipeline is. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// The version of the configuration that was set up.
    pub set_up: Option<i64>,
    /// The name under which the destination keeps the position of the sync, in the transaction of the rows that it stands for. A
    /// new one begins from nothing.
    pub position: Option<String>,
    /// The run of the backfill: under way, or the last one.
    pub run_id: Option<String>,
    /// Whether that run is over.
    pub backfilled: bool,
    /// When it began.
    pub backfill_began_at: Option<i64>,
    /// When it was over.
    pub backfilled_at: Option<i64>,
    /// When events were last followed to their end.
    pub followed_at: Option<i64>,
    /// When events are followed again, the last time notwithstanding.
    pub follow_again_at: Option<i64>,
    /// When the copy was last compared with its source as a whole.
    pub reconciled_at: Option<i64>,
    /// When a comparison last turned out not to be possible.
    pub reconcile_tried_at: Option<i64>,
    /// When a step last succeeded.
    pub succeeded_at: Option<i64>,
    /// What the last comparison found and repaired.
    pub repaired: Option<u64>,
    /// Why it does not get on.
    pub problem: Option<Problem>,
    /// How the last run went, stream by stream.
    pub progress: Option<ProgressPayload>,
    /// Streams that failed when deliveries were applied.
    pub deferred: BTreeMap<String, Deferral>,
}

/// So many failures in a row that pass by themselves are told as an error.
const PASSING: u32 = 3;

impl Standing {
    /// The status of a pipeline that stands so. `working` is what is being done at present; `config_version` the version
    /// of its configuration.
    pub fn status(&self, desired: DesiredStatus, working: Option<Stage>, config_version: i64) -> Status {
        if desired == DesiredStatus::Deleted {
            return Status::Teardown;
        }
        if desired == DesiredStatus::Paused && working.is_none() {
            return Status::Paused;
        }
        if self.problem.as_ref().is_some_and(|problem| problem.lasting || problem.attempts >= PASSING) {
            return Status::Error;
        }
        if self.set_up != Some(config_version) {
            return Status::Setup;
        }
        if self.backfilled { Status::Ready } else { Status::Backfill }
    }

    /// Notes that the configuration of this version is set up. A backfill follows: streams may be new, or read otherwise; what is
    /// complete is found complete at once.
    pub(crate) fn is_set_up(&mut self, config_version: i64) {
        self.set_up = Some(config_version);
        self.backfilled = false;
        self.run_id = None;
    }

    /// The streams that failed in the last run.
    pub fn failed_streams(&self) -> impl Iterator<Item = (&str, &str)> {
        let streams = self.progress.iter().flat_map(|progress| &progress.streams);
        streams.filter(|(_, stream)| stream.status == StreamRunStatus::Errored).map(|(name, stream)| {
            (name.as_str(), stream.message.as_deref().unwrap_or("it failed without saying why"))
        })
    }
}

impl Standing {
    /// The stream that what is delivered about objects of this kind waits for, if it has to.
    pub fn held_up(&self, kind: &str) -> Option<&str> {
        self.deferred.iter().find(|(_, held)| held.kinds.contains(kind)).map(|(stream, _)| stream.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_from_the_facts() {
        let standing = Standing::default();
        let of = |standing: &Standing, working| standing.status(DesiredStatus::Active, working, 1);
        assert_eq!(of(&standing, None), Status::Setup);
        let set_up = Standing { set_up: Some(1), ..standing };
        assert_eq!(of(&set_up, None), Status::Backfill);
        let ready = Standing { backfilled: true, ..set_up };
        assert_eq!(of(&ready, Some(Stage::Follow)), Status::Ready);
        assert_eq!(
            ready.status(DesiredStatus::Active, None, 2),
            Status::Setup,
            "its configuration was changed"
        );
        assert_eq!(ready.status(DesiredStatus::Paused, None, 1), Status::Paused);
        assert_eq!(ready.status(DesiredStatus::Paused, Some(Stage::Follow), 1), Status::Ready, "not yet");
        assert_eq!(ready.status(DesiredStatus::Deleted, None, 1), Status::Teardown);
    }

    #[test]
    fn what_passes_is_no_error_at_once() {
        let problem = |lasting, attempts| Problem {
            stage: Stage::Follow,
            message: "m".to_owned(),
            lasting,
            attempts,
            since: 0,
            at: 0,
            retry_at: 0,
        };
        let with = |problem| Standing {
            set_up: Some(1),
            backfilled: true,
            problem: Some(problem),
            ..Standing::default()
        };
        let status = |standing: Standing| standing.status(DesiredStatus::Active, None, 1);
        assert_eq!(status(with(problem(false, 2))), Status::Ready);
        assert_eq!(status(with(problem(false, 3))), Status::Error);
        assert_eq!(status(with(problem(true, 1))), Status::Error);
    }
}
