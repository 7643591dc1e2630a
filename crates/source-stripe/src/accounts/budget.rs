//! How often states are told that grow with the number of accounts.

use std::time::Duration;

/// A state is told once pages of four times its bytes were told since the last one,
const BYTES_PER_STATE_BYTE: usize = 4;

/// or once so much time has passed: bytes of states per second.
const PER_SECOND: f64 = 256.0 * 1024.0;

/// So many bytes of states may be told at once: a few accounts tell each of theirs.
const MOST: f64 = 1024.0 * 1024.0;

/// Bytes of states that may be told. What is told may be more, and delays the next.
#[derive(Debug)]
pub(crate) struct Budget {
    credit: f64,
    at: Duration,
}

impl Budget {
    pub(crate) fn new(now: Duration) -> Budget {
        Budget { credit: MOST, at: now }
    }

    /// Pages were told.
    pub(crate) fn earn(&mut self, bytes: usize) {
        self.credit = (self.credit + (bytes / BYTES_PER_STATE_BYTE) as f64).min(MOST);
    }

    /// A state was told.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.credit -= bytes as f64;
    }

    /// Whether a state may be told at `now`.
    pub(crate) fn allows(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.credit = (self.credit + passed * PER_SECOND).min(MOST);
        self.credit >= 0.0
    }

    /// When the next one may be told, if no pages come.
    pub(crate) fn next(&self) -> Duration {
        let wait = (-self.credit).max(0.0) / PER_SECOND;
        self.at + Duration::from_secs_f64(wait) + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(5);

    #[test]
    fn small_states_are_told_at_once() {
        let mut budget = Budget::new(START);
        for _ in 0..1_000 {
            assert!(budget.allows(START));
            budget.spend(1_000);
            budget.earn(4_000);
        }
    }

    #[test]
    fn large_ones_wait_for_pages_or_time() {
        let mut budget = Budget::new(START);
        budget.spend(2 << 20);
        assert!(!budget.allows(START));
        let next = budget.next();
        assert!(next > START + Duration::from_secs(3) && next < START + Duration::from_secs(5), "{next:?}");
        assert!(budget.allows(next));
        budget.spend(2 << 20);
        budget.earn(16 << 20);
        assert!(budget.allows(next), "pages are worth more");
    }
}
