//! Stripe's clock, as its answers tell it: machines' clocks differ, and what is written has to be in order by one.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

/// How far Stripe's clock is ahead of this machine's.
#[derive(Debug, Default)]
pub(crate) struct StripeClock {
    ahead: AtomicI64,
}

impl StripeClock {
    /// Takes in the `Date` of an answer that came when this machine's clock said `local`; answers the date,
    /// guessed where the answer had none.
    pub(crate) fn answered(&self, date: Option<i64>, local: i64) -> i64 {
        match date {
            Some(date) => {
                self.ahead.store(date.saturating_sub(local), Relaxed);
                date
            }
            None => self.now(local),
        }
    }

    /// How far Stripe's clock is ahead of this machine's, in seconds, as far as is known.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead.load(Relaxed)
    }

    /// What Stripe's clock says when this machine's says `local`.
    pub(crate) fn now(&self, local: i64) -> i64 {
        local.saturating_add(self.ahead.load(Relaxed))
    }
}

/// The last second all of whose changes an answer is certain to show, given its `Date` and how long it took.
///
/// Stripe looked at its data no earlier than the request was sent, `date - took`, and no more changes are made in
/// a second that was over by then. With the second of the answer itself as the version of what was read, a change made
/// a moment later in that second could be taken for an older one, or be overwritten by this answer.
pub(crate) fn as_of(date: i64, took: Duration) -> i64 {
    let seconds = took.as_secs() + u64::from(took.subsec_nanos() > 0);
    date.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX)).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripe_s_time_is_this_machine_s_until_it_is_told() {
        let clock = StripeClock::default();
        assert_eq!(clock.now(100), 100);
        assert_eq!(clock.answered(Some(70), 100), 70);
        assert_eq!(clock.ahead(), -30);
        assert_eq!((clock.now(105), clock.answered(None, 110)), (75, 80));
    }

    #[test]
    fn an_answer_shows_the_seconds_that_were_over_when_it_was_asked_for() {
        assert_eq!(as_of(100, Duration::ZERO), 99);
        assert_eq!(as_of(100, Duration::from_millis(200)), 98);
        assert_eq!(as_of(100, Duration::from_millis(2_500)), 96);
    }
}
