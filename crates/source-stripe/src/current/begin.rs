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
    /// Whether events are missing, so that everything they tell of has to be read again (fidelity U5).
    pub(crate) reads_again: bool,
    /// What the user should know; where streams are read again, why.
    pub(crate) warning: Option<String>,
}

/// Decides from the `stored` position, if there is one, and whether any stream was read before. `now` is in unix
/// seconds.
pub(crate) fn begin(stored: Option<Position>, read_before: bool, now: i64) -> Beginning {
    let fresh = |warning: Option<String>, reads_again: bool| Beginning {
        position: Position::beginning(now),
        is_new: true,
        reads_again,
        warning,
    };
    let days = RETENTION / (24 * 3600);
    match stored {
        Some(position) if now - position.events_cursor <= RETENTION - MARGIN => {
            Beginning { position, is_new: false, reads_again: false, warning: None }
        }
        Some(position) => {
            let since = protocol::Timestamp::from_unix_seconds(position.events_cursor);
            fresh(
                Some(format!(
                    "events were last read on {since}, and Stripe keeps them for {days} days: everything that may have \
                     changed since is read again. Objects that were deleted meanwhile are found by \
                     `sync-engine reconcile --repair`"
                )),
                true,
            )
        }
        None if !read_before => fresh(None, false),
        None => Beginning {
            position: Position { events_cursor: now - RETENTION + MARGIN, ..Position::default() },
            is_new: true,
            reads_again: false,
            warning: Some(format!(
                "events were not read before: changes of the last {days} days are caught up with, older changes to \
                 objects that were read earlier are found by `sync-engine reconcile --repair`"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_900_000_000;

    fn at(cursor: i64) -> Option<Position> {
        Some(Position { events_cursor: cursor, ..Position::default() })
    }

    #[test]
    fn a_first_read_begins_now() {
        let begin = begin(None, false, NOW);
        assert_eq!(begin.position, Position::beginning(NOW));
        assert!(begin.is_new && !begin.reads_again && begin.warning.is_none());
    }

    #[test]
    fn a_position_is_gone_on_from_while_stripe_has_the_events() {
        let recent = begin(at(NOW - 29 * 24 * 3600), true, NOW);
        assert_eq!((recent.position.events_cursor, recent.reads_again), (NOW - 29 * 24 * 3600, false));
        let old = begin(at(NOW - RETENTION), true, NOW);
        assert!(old.reads_again && old.is_new);
        assert_eq!(old.position.events_cursor, NOW);
        assert!(old.warning.unwrap().contains("reconcile"));
    }

    #[test]
    fn a_copy_without_position_catches_up_as_far_as_events_reach() {
        let begin = begin(None, true, NOW);
        assert_eq!(begin.position.events_cursor, NOW - RETENTION + MARGIN);
        assert!(begin.warning.is_some());
    }
}
