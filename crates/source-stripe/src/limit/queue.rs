//! Who waits for what is scarce, in the order in which they came.

use std::collections::VecDeque;
use std::time::Duration;

/// Whoever does not come within this time of its turn is passed over.
const GRACE: Duration = Duration::from_millis(100);

/// One of those who read an account.
pub(super) type Reader = u64;

/// Readers that wait, each once however much it wants: so what there is goes round evenly.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    reader: Reader,
    /// When its turn is expected; it looks again then.
    due: Duration,
}

impl Queue {
    /// How many others come before `reader`, who may be waiting already.
    pub(super) fn ahead_of(&mut self, reader: Reader, now: Duration) -> usize {
        self.waiting.retain(|other| other.reader == reader || now <= other.due.saturating_add(GRACE));
        let place = self.waiting.iter().position(|other| other.reader == reader);
        place.unwrap_or(self.waiting.len())
    }

    /// The reader waits, and looks again at `due`.
    pub(super) fn wait(&mut self, reader: Reader, due: Duration) {
        match self.waiting.iter_mut().find(|other| other.reader == reader) {
            Some(waiting) => waiting.due = due,
            None => self.waiting.push_back(Waiting { reader, due }),
        }
    }

    /// The reader has got what it waited for, or is gone.
    pub(super) fn leave(&mut self, reader: Reader) {
        self.waiting.retain(|other| other.reader != reader);
    }

    /// All are told to look again.
    pub(super) fn call(&mut self, now: Duration) {
        for waiting in &mut self.waiting {
            waiting.due = waiting.due.min(now);
        }
    }

    /// When whoever is kept waiting by others alone should look again: those who do not come are passed over then.
    pub(super) fn passed_over_at(now: Duration) -> Duration {
        now + GRACE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
