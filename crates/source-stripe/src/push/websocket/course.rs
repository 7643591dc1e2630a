//! What comes after a connection.

use std::fmt;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// After so many connections in a row over which nothing came the session is taken to be at fault, whatever they looked
/// like. Where something comes it is not, and events may still wait in it.
const PATIENCE: u32 = 3;

/// How well a connection worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Nothing came.
    Fruitless,
    /// Something came.
    Short,
    /// Something came for a while.
    Long,
}

/// How a connection ended, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// As the session asks for, after a while.
    Planned,
    /// Stripe closed it.
    Closed { life: Life },
    /// Nothing came for too long, not even an answer to a ping.
    Silent { life: Life },
    /// It broke; a sentence.
    Broke { life: Life, problem: String },
    /// Stripe did not take the session; a sentence.
    Refused(String),
    /// No connection was made; a sentence.
    Unreachable(String),
    /// There was no session to connect with; a sentence.
    NoSession(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Planned => formatter.write_str("it was time to connect anew"),
            Ended::Closed { .. } => formatter.write_str("Stripe closed the connection"),
            Ended::Silent { .. } => formatter.write_str("Stripe does not answer pings any more"),
            Ended::Broke { problem, .. } => write!(formatter, "the connection broke: {problem}"),
            Ended::Refused(problem) => write!(formatter, "Stripe refused the session: {problem}"),
            Ended::Unreachable(problem) => write!(formatter, "no connection was made: {problem}"),
            Ended::NoSession(problem) => write!(formatter, "no session was opened: {problem}"),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) new_session: bool,
    pub(super) wait: Duration,
}

/// Remembers how it went so far.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// In a row.
    failures: u32,
    /// In a row, over which nothing came.
    fruitless: u32,
}

impl Course {
    /// Decides what comes after a connection; `chance` is anywhere from 0 to 1, so that those whom one fault cut off do
    /// not return together.
    pub(super) fn after(&mut self, ended: &Ended, chance: f64) -> Next {
        let (life, refused) = match ended {
            Ended::Planned => {
                *self = Course::default();
                return Next { new_session: false, wait: Duration::ZERO };
            }
            Ended::Closed { life } | Ended::Silent { life } | Ended::Broke { life, .. } => (*life, false),
            Ended::Refused(_) | Ended::NoSession(_) => (Life::Fruitless, true),
            Ended::Unreachable(_) => (Life::Fruitless, false),
        };
        if life == Life::Long {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.fruitless = if life == Life::Fruitless { self.fruitless.saturating_add(1) } else { 0 };
        // After a connection that worked for a while the next need not be waited for.
        let wait = match self.failures {
            1 => Duration::ZERO,
            failures => FIRST.saturating_mul(1 << (failures - 2).min(16)).min(LONGEST),
        };
        Next {
            new_session: refused || (self.fruitless > 0 && self.fruitless.is_multiple_of(PATIENCE)),
            wait: wait.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn broke(life: Life) -> Ended {
        Ended::Broke { life, problem: "reset".to_owned() }
    }

    #[test]
    fn a_planned_end_is_no_failure() {
        let mut course = Course::default();
        course.after(&Ended::Unreachable("dns".to_owned()), 1.0);
        let next = course.after(&Ended::Planned, 1.0);
        assert_eq!(next, Next { new_session: false, wait: Duration::ZERO });
        assert_eq!(course.after(&broke(Life::Fruitless), 1.0).wait, Duration::ZERO);
    }

    #[test]
    fn a_session_that_stripe_does_not_know_is_replaced() {
        let mut course = Course::default();
        assert!(course.after(&Ended::Refused("Unknown WebSocket ID.".to_owned()), 0.0).new_session);
        assert!(course.after(&Ended::NoSession("503".to_owned()), 0.0).new_session);
        let mut course = Course::default();
        let renewed: Vec<bool> =
            (0..6).map(|_| course.after(&broke(Life::Fruitless), 0.5).new_session).collect();
        assert_eq!(renewed, [false, false, true, false, false, true]);
        // Over this one something comes.
        assert!((0..9).all(|_| !course.after(&broke(Life::Short), 0.5).new_session));
    }

    #[test]
    fn failures_wait_twice_as_long_each_up_to_a_minute() {
        let mut course = Course::default();
        let waits: Vec<u64> =
            (0..10).map(|_| course.after(&broke(Life::Fruitless), 1.0).wait.as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(course.after(&broke(Life::Long), 1.0).wait, Duration::ZERO);
    }

    proptest! {
        #[test]
        fn waits_are_bounded(ends in prop::collection::vec((0usize..3, 0.0..=1.0), 1..200)) {
            let mut course = Course::default();
            for (life, chance) in ends {
                let life = [Life::Fruitless, Life::Short, Life::Long][life];
                prop_assert!(course.after(&broke(life), chance).wait <= LONGEST);
            }
        }
    }
}
