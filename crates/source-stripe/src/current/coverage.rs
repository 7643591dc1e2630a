//! What is known to be written, so that an event does no harm and costs nothing where it is old news.

use std::collections::HashMap;

/// How long it is remembered what was written: seconds of event time behind the newest.
const KEPT: i64 = 900;

/// Most objects remembered.
const MOST: usize = 50_000;

/// An object, or the children of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Index of the table.
    pub(crate) table: usize,
    pub(crate) what: What,
}

/// What of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum What {
    /// The row with this id.
    Row(String),
    /// All rows under the parent with this id.
    Under(String),
}

/// For each object the second up to which its changes were written: those before it all are, those within it may
/// not be.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    written: HashMap<Key, i64>,
    /// Of events up to this second nothing is known for objects that are not remembered: they may be old news.
    floor: i64,
    newest: i64,
}

/// How an event's second stands to what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The change was written.
    Old,
    /// It may have been written, or something newer.
    Unsure,
    /// It is newer than all that was written.
    New,
}

impl Coverage {
    /// Nothing is known of events up to the second `floor`.
    pub(crate) fn new(floor: i64) -> Coverage {
        Coverage { floor, newest: floor, ..Coverage::default() }
    }

    pub(crate) fn standing(&self, key: &Key, second: i64) -> Standing {
        match self.written.get(key) {
            Some(written) if second < *written => Standing::Old,
            Some(written) if second == *written => Standing::Unsure,
            Some(_) => Standing::New,
            None if second <= self.floor => Standing::Unsure,
            None => Standing::New,
        }
    }

    /// Remembers that all changes of an object before `second` were written, and some of those within.
    pub(crate) fn written(&mut self, key: Key, second: i64) {
        let known = self.written.entry(key).or_insert(second);
        *known = second.max(*known);
        self.newest = self.newest.max(second);
        if self.written.len() > MOST {
            self.forget();
        }
    }

    /// All events up to `second` that had surfaced were processed: one that surfaces now may be out of order.
    pub(crate) fn processed(&mut self, second: i64) {
        self.floor = self.floor.max(second);
        self.newest = self.newest.max(second);
        let oldest = self.newest - KEPT;
        self.written.retain(|_, written| *written >= oldest);
        self.floor = self.floor.max(oldest - 1);
    }

    /// Forgets the older half.
    fn forget(&mut self) {
        let mut seconds: Vec<i64> = self.written.values().copied().collect();
        let middle = seconds.len() / 2;
        let (_, median, _) = seconds.select_nth_unstable(middle);
        let median = *median;
        self.written.retain(|_, written| *written > median);
        self.floor = self.floor.max(median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key { table: 0, what: What::Row(id.to_owned()) }
    }

    #[test]
    fn only_what_is_certain_is_old_or_new() {
        let mut coverage = Coverage::new(100);
        assert_eq!(coverage.standing(&key("a"), 100), Standing::Unsure);
        assert_eq!(coverage.standing(&key("a"), 101), Standing::New);
        coverage.written(key("a"), 105);
        coverage.written(key("a"), 103);
        assert_eq!(coverage.standing(&key("a"), 104), Standing::Old);
        assert_eq!(coverage.standing(&key("a"), 105), Standing::Unsure);
        assert_eq!(coverage.standing(&key("a"), 106), Standing::New);
        assert_eq!(coverage.standing(&key("b"), 104), Standing::New);
        coverage.processed(110);
        assert_eq!(coverage.standing(&key("b"), 104), Standing::Unsure, "it surfaces late");
        assert_eq!(coverage.standing(&key("a"), 104), Standing::Old);
    }

    #[test]
    fn what_was_forgotten_is_unsure() {
        let mut coverage = Coverage::new(0);
        coverage.written(key("a"), 10);
        coverage.processed(10 + KEPT + 1);
        assert_eq!(coverage.standing(&key("a"), 9), Standing::Unsure);
        let mut coverage = Coverage::new(0);
        for number in 0..=MOST {
            coverage.written(key(&number.to_string()), number as i64);
        }
        assert!(coverage.written.len() <= MOST / 2 + 1);
        assert_eq!(coverage.standing(&key("3"), 3), Standing::Unsure);
        assert_eq!(coverage.standing(&key(&MOST.to_string()), 3), Standing::Old);
    }
}
