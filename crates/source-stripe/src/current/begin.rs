//! Where to follow events from.

use super::log::RETENTION;
use super::position::Position;

/// Events are taken for lost so many seconds before Stripe forgets them.
const MARGIN: i64 = 3600;

/// Where to begin, and what that means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) position: Position,
    /// Whether the position was not stored before.
    pub(crate) is_new: bool,
    /// Of which streams events are missing, so that everything they tell of has to be read again.
    pub(crate) missed: Missed,
    /// What the user should know; where streams are read again, why.
    pub(crate) warning: Option<String>,
}

/// Streams whose events are missing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// All of them (fidelity U5).
    All,
    /// These, which were left out for too long; mostly none.
    Only(Vec<String>),
}

impl Missed {
    /// Whether it has a stream.
    pub(crate) fn has(&self, stream: &str) -> bool {
        match self {
            Missed::All => true,
            Missed::Only(streams) => streams.iter().any(|missed| missed == stream),
        }
    }
}

/// Decides from the `stored` position, if there is one, which streams were read before, and which are wanted now. `now` is
/// in unix seconds.
pub(crate) fn begin(
    stored: Option<Position>,
    read_before: &[&str],
    is_wanted: impl Fn(&str) -> bool,
    now: i64,
) -> Beginning {
    let days = RETENTION / (24 * 3600);
    let oldest = now - RETENTION + MARGIN;
    let is_new = stored.is_none();
    let mut position = stored.unwrap_or(Position { events_cursor: oldest, ..Position::default() });
    let cursor = position.events_cursor;
    let lost = position.choose(read_before.iter().copied(), &is_wanted, oldest);
    let fresh = |left_out, missed, warning| {
        let position = Position { left_out, ..Position::beginning(now) };
        Beginning { position, is_new: true, missed, warning }
    };
    if is_new && !read_before.iter().copied().any(is_wanted) {
        return fresh(position.left_out, Missed::Only(Vec::new()), None);
    }
    if cursor < oldest {
        let since = protocol::Timestamp::from_unix_seconds(cursor);
        let warning = format!(
            "events were last read on {since}, and Stripe keeps them for {days} days: everything that may have \
             changed since is read again. Objects that were deleted meanwhile are found by \
             `sync-engine reconcile --repair`"
        );
        return fresh(position.left_out, Missed::All, Some(warning));
    }
    let warning = if is_new {
        Some(format!(
            "events were not read before: changes of the last {days} days are caught up with, older changes to \
             objects that were read earlier are found by `sync-engine reconcile --repair`"
        ))
    } else if lost.is_empty() {
        None
    } else {
        Some(format!(
            "events about {} were not followed for more than {days} days, for which Stripe keeps them, so everything \
             that may have changed since is read again. Objects that were deleted meanwhile are found by \
             `sync-engine reconcile --repair`",
            lost.join(", ")
        ))
    };
    Beginning { position, is_new, missed: Missed::Only(lost), warning }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_900_000_000;

    fn at(cursor: i64) -> Option<Position> {
        Some(Position { events_cursor: cursor, ..Position::default() })
    }

    fn all(_: &str) -> bool {
        true
    }

    #[test]
    fn a_first_read_begins_now() {
        let begin = begin(None, &[], all, NOW);
        assert_eq!(begin.position, Position::beginning(NOW));
        assert!(begin.is_new && begin.missed == Missed::Only(Vec::new()) && begin.warning.is_none());
    }

    #[test]
    fn a_position_is_gone_on_from_while_stripe_has_the_events() {
        let recent = begin(at(NOW - 29 * 24 * 3600), &["a"], all, NOW);
        assert_eq!(recent.position.events_cursor, NOW - 29 * 24 * 3600);
        assert!(!recent.missed.has("a") && recent.warning.is_none());
        let old = begin(at(NOW - RETENTION), &["a", "b"], |stream| stream == "a", NOW);
        assert!(old.missed == Missed::All && old.is_new);
        assert_eq!((old.position.events_cursor, old.position.left_out["b"]), (NOW, NOW - RETENTION));
        assert!(old.warning.unwrap().contains("reconcile"));
    }

    #[test]
    fn a_copy_without_position_catches_up_as_far_as_events_reach() {
        let begin = begin(None, &["a"], all, NOW);
        assert_eq!(begin.position.events_cursor, NOW - RETENTION + MARGIN);
        assert!(begin.warning.is_some());
    }

    #[test]
    fn a_stream_that_was_left_out_for_too_long_is_read_again() {
        let left_out = [("a".to_owned(), NOW - RETENTION), ("b".to_owned(), NOW - 100)].into();
        let stored = Position { events_cursor: NOW - 50, left_out, ..Position::default() };
        let back = begin(Some(stored), &["a", "b", "c"], all, NOW);
        assert_eq!(back.position, Position { events_cursor: NOW - 100, ..Position::default() });
        assert_eq!(back.missed, Missed::Only(vec!["a".to_owned()]));
        assert!(back.warning.unwrap().starts_with("events about a were not followed for more than 30 days"));
    }
}
