//! Who runs beside whom: a number of places, given to whoever has waited longest.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::standing::Stage;

/// While others wait, a step that may be interrupted gets this long.
const TURN: Duration = Duration::from_secs(20);

/// A backfill is interrupted for deliveries after this long.
const DELIVERY_TURN: Duration = Duration::from_secs(5);

/// The places.
#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    running: HashMap<String, Running>,
    /// When each pipeline last had a place.
    last: HashMap<String, Instant>,
    /// Who gets no place before some time.
    resting: HashMap<String, Instant>,
}

#[derive(Debug)]
struct Running {
    stage: Stage,
    since: Instant,
    stop: CancellationToken,
}

/// A pipeline that something is due of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) stage: Stage,
}

impl Slots {
    pub(super) fn new(most: usize) -> Slots {
        Slots { most: most.max(1), running: HashMap::new(), last: HashMap::new(), resting: HashMap::new() }
    }

    pub(super) fn is_running(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Which of the candidates get the places that are free: deliveries first, then whoever has waited longest.
    pub(super) fn admit(&self, mut candidates: Vec<Candidate>, now: Instant) -> Vec<Candidate> {
        let rests = |id: &str| self.resting.get(id).is_some_and(|until| *until > now);
        candidates.retain(|candidate| !self.is_running(&candidate.id) && !rests(&candidate.id));
        candidates.sort_by_key(|candidate| {
            (candidate.stage != Stage::Deliver, self.last.get(&candidate.id).copied())
        });
        candidates.truncate(self.most.saturating_sub(self.running.len()));
        candidates
    }

    /// Gives a place; `stop` interrupts what is done there.
    pub(super) fn begin(&mut self, candidate: &Candidate, stop: CancellationToken, now: Instant) {
        let running = Running { stage: candidate.stage, since: now, stop };
        self.running.insert(candidate.id.clone(), running);
        self.last.insert(candidate.id.clone(), now);
    }

    /// Takes a place back.
    pub(super) fn end(&mut self, id: &str, now: Instant) {
        self.running.remove(id);
        self.last.insert(id.to_owned(), now);
    }

    /// Interrupts what has had its turn: everything if somebody waits for a place, and long readings of pipelines that have
    /// deliveries.
    pub(super) fn make_room(
        &self,
        somebody_waits: bool,
        has_deliveries: impl Fn(&str) -> bool,
        now: Instant,
    ) {
        for (id, running) in &self.running {
            let long = matches!(running.stage, Stage::Backfill | Stage::Follow | Stage::Reconcile);
            let had = now.duration_since(running.since);
            if long && ((somebody_waits && had >= TURN) || (had >= DELIVERY_TURN && has_deliveries(id))) {
                running.stop.cancel();
            }
        }
    }

    /// Interrupts what is done for a pipeline.
    pub(super) fn stop(&self, id: &str) {
        if let Some(running) = self.running.get(id) {
            running.stop.cancel();
        }
    }

    /// What is being done, if anything.
    pub(super) fn stage(&self, id: &str) -> Option<Stage> {
        self.running.get(id).map(|running| running.stage)
    }

    /// Gives no place to a pipeline before `until`.
    pub(super) fn rest(&mut self, id: &str, until: Instant) {
        self.resting.insert(id.to_owned(), until);
    }

    /// Forgets pipelines that are gone.
    pub(super) fn keep_only(&mut self, alive: impl Fn(&str) -> bool) {
        self.last.retain(|id, _| alive(id));
        self.resting.retain(|id, _| alive(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(ids: &[&str], stage: Stage) -> Vec<Candidate> {
        ids.iter().map(|id| Candidate { id: (*id).to_owned(), stage }).collect()
    }

    fn admitted(slots: &Slots, wanted: Vec<Candidate>) -> Vec<String> {
        slots.admit(wanted, Instant::now()).into_iter().map(|candidate| candidate.id).collect()
    }

    #[test]
    fn whoever_waited_longest_comes_first_and_deliveries_before_all() {
        let mut slots = Slots::new(2);
        let start = Instant::now();
        for (seconds, id) in (0..).zip(["a", "b", "c"]) {
            slots.end(id, start + Duration::from_secs(seconds));
        }
        let mut wanted = candidates(&["c", "b", "a", "new"], Stage::Backfill);
        assert_eq!(admitted(&slots, wanted.clone()), ["new", "a"]);
        wanted[0].stage = Stage::Deliver;
        assert_eq!(admitted(&slots, wanted.clone()), ["c", "new"]);
        slots.begin(&wanted[0], CancellationToken::new(), start);
        assert_eq!(admitted(&slots, wanted), ["new"]);
    }

    #[test]
    fn turns_end_when_others_wait() {
        let mut slots = Slots::new(1);
        let (start, stop) = (Instant::now(), CancellationToken::new());
        slots.begin(&candidates(&["a"], Stage::Backfill)[0], stop.clone(), start);
        slots.make_room(false, |_| false, start + TURN);
        slots.make_room(true, |_| false, start + TURN / 2);
        assert!(!stop.is_cancelled());
        slots.make_room(false, |_| true, start + DELIVERY_TURN);
        assert!(stop.is_cancelled());
        let stop = CancellationToken::new();
        slots.begin(&candidates(&["a"], Stage::Setup)[0], stop.clone(), start);
        slots.make_room(true, |_| true, start + TURN);
        assert!(!stop.is_cancelled(), "a set-up is not interrupted");
    }
}
