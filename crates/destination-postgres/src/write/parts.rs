//! A batch that is written on several connections: by its keys, so that the order of each key's changes holds.
//!
//! Every part is a transaction of its own, and the state may only become durable with or after the last of them. So whichever
//! part has written its rows last waits until the others are committed, and takes the state along. At that moment
//! none of the others needs a lock any more: the wait cannot be part of a deadlock that the server does not see.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::plan::{Plan, Step};

/// Payload bytes that are worth a transaction.
const WORTH_A_PART: usize = 256 << 10;

/// Who is done with what.
pub(super) struct Parts {
    count: usize,
    unwritten: AtomicUsize,
    committed: UnboundedSender<()>,
    commits: Mutex<Option<UnboundedReceiver<()>>>,
}

impl Parts {
    pub(super) fn of(count: usize) -> Parts {
        let (committed, commits) = unbounded();
        Parts { count, unwritten: AtomicUsize::new(count), committed, commits: Mutex::new(Some(commits)) }
    }

    /// A part has written its rows and is about to commit. Answers, to the last, that it carries the state, once
    /// all others are committed.
    pub(super) async fn written(&self) -> bool {
        if self.unwritten.fetch_sub(1, Ordering::AcqRel) > 1 {
            return false;
        }
        let commits = self.commits.lock().ok().and_then(|mut commits| commits.take());
        if let Some(commits) = commits {
            commits.take(self.count - 1).count().await;
        }
        true
    }

    /// A part that does not carry the state is committed.
    pub(super) fn committed(&self) {
        // Nobody listens where another part has failed.
        let _ = self.committed.unbounded_send(());
    }
}

/// In how many parts to write steps, with this many connections free. Deletions lock out the other parts.
pub(super) fn count(steps: &[Step], free: usize) -> usize {
    let [step] = steps else { return 1 };
    if !step.only_upserts() {
        return 1;
    }
    let bytes: usize = step.plan.upserts.iter().map(|upsert| upsert.payload.len()).sum();
    free.min(bytes.div_ceil(WORTH_A_PART)).min(step.plan.upserts.len()).max(1)
}

/// The steps in parts of about as many rows each.
pub(super) fn split(mut steps: Vec<Step>, count: usize) -> Vec<Vec<Step>> {
    if count == 1 {
        return vec![steps];
    }
    let Some(Step { plan, .. }) = steps.pop() else { return Vec::new() };
    let mut upserts = plan.upserts;
    let mut parts = Vec::with_capacity(count);
    for left in (1..=count).rev() {
        let rest = upserts.split_off(upserts.len() / left);
        let plan = Plan { upserts: std::mem::replace(&mut upserts, rest), deletes: Vec::new() };
        parts.push(vec![Step { plan, sweeps: Vec::new() }]);
    }
    parts
}
