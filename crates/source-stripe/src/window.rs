//! Ranges of `created`, in whole seconds.

use protocol::{Range, TimeRange, Timestamp};

/// 2011-01-01T00:00:00Z: no Stripe account is older.
pub(crate) const STRIPE_BEGAN: i64 = 1_293_840_000;

/// The seconds from `gte` up to but not including `lt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    pub(crate) gte: i64,
    pub(crate) lt: i64,
}

impl Window {
    pub(crate) fn new(gte: i64, lt: i64) -> Window {
        Window { gte, lt }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.gte >= self.lt
    }

    /// Length in seconds; 0 when empty.
    pub(crate) fn seconds(self) -> i64 {
        self.lt.saturating_sub(self.gte).max(0)
    }

    pub(crate) fn intersect(self, other: Window) -> Window {
        Window::new(self.gte.max(other.gte), self.lt.min(other.lt))
    }

    /// The window that one stream is asked for: the bounds of its time range, else from the account's
    /// first second to just after `now`.
    pub(crate) fn wanted(asked: Option<&TimeRange>, account_created: Option<i64>, now: i64) -> Window {
        let gte = asked.and_then(|range| range.gte).map(Timestamp::unix_seconds_up);
        let lt = asked.and_then(|range| range.lt).map(Timestamp::unix_seconds_up);
        Window::new(gte.or(account_created).unwrap_or(STRIPE_BEGAN), lt.unwrap_or(now + 1))
    }
}

impl From<Window> for Range {
    fn from(window: Window) -> Range {
        Range { gte: Timestamp::from_unix_seconds(window.gte), lt: Timestamp::from_unix_seconds(window.lt) }
    }
}

impl From<Range> for Window {
    /// `created` counts whole seconds, so a bound within a second is the same as the next whole one.
    fn from(range: Range) -> Window {
        Window::new(range.gte.unix_seconds_up(), range.lt.unix_seconds_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> Option<Timestamp> {
        Some(Timestamp::parse_bound(text).unwrap())
    }

    #[test]
    fn without_bounds_the_account_s_life_is_wanted() {
        assert_eq!(Window::wanted(None, Some(5), 100), Window::new(5, 101));
        assert_eq!(Window::wanted(None, None, 100).gte, STRIPE_BEGAN);
    }

    #[test]
    fn bounds_within_a_second_select_the_same_whole_seconds() {
        let asked =
            TimeRange { gte: bound("1970-01-01T00:00:01.5Z"), lt: bound("1970-01-01T01:00:09.001+01:00") };
        assert_eq!(Window::wanted(Some(&asked), Some(0), 100), Window::new(2, 10));
    }
}
