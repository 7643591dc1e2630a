//! How often a run says how it is doing.

use std::time::Duration;

use tokio::time::Instant;

/// At least this long between two `progress` messages.
const PAUSE: Duration = Duration::from_millis(100);

/// Decides when a `progress` message is due: at once after a trigger where the last one is old
/// enough, else as soon as it is.
#[derive(Debug)]
pub(crate) struct Cadence {
    not_before: Instant,
    pending: bool,
}

impl Cadence {
    /// The first message may be said from `now` on.
    pub(crate) fn new(now: Instant) -> Cadence {
        Cadence { not_before: now, pending: false }
    }

    /// Something worth saying happened; answers whether to say it now.
    pub(crate) fn triggered(&mut self, now: Instant) -> bool {
        self.pending = true;
        now >= self.not_before
    }

    /// When what is pending may be said.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pending.then_some(self.not_before)
    }

    /// It was said.
    pub(crate) fn said(&mut self, now: Instant) {
        self.not_before = now + PAUSE;
        self.pending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_first_at_once_and_coalesces_the_rest() {
        let start = Instant::now();
        let mut cadence = Cadence::new(start);
        assert_eq!(cadence.due(), None);
        assert!(cadence.triggered(start));
        cadence.said(start);
        assert_eq!(cadence.due(), None);
        assert!(!cadence.triggered(start + PAUSE / 2));
        assert_eq!(cadence.due(), Some(start + PAUSE), "what was held back is said later");
        assert!(cadence.triggered(start + PAUSE));
    }
}
