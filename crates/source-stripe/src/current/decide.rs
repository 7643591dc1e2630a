//! What to do about a batch of events: write what they show, read again, delete, or nothing.
//!
//! Pure. The one rule behind all: an event's payload is written only where it is certain to be the newest state that
//! Stripe has told of; in any doubt the object is read again, which is always right (fidelity U3, U4).

use super::coverage::{Coverage, Key, Standing};

/// What matters of an event about `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) key: Key,
    /// Unix seconds.
    pub(crate) second: i64,
    /// Whether it says that the object is gone.
    pub(crate) deletes: bool,
    /// Whether its payload can be written as it is: the right version, and all there.
    pub(crate) usable: bool,
}

/// What is to be done about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Write the payload of the hint with this index.
    Write(usize),
    /// The object is gone since the second of the hint with this index.
    Delete(usize),
    /// Read it again; `second` is that of the newest hint, `last` its index. In doubt, only an answer that is certain to
    /// be newer than that second settles it.
    Read { second: i64, last: usize, in_doubt: bool },
}

/// One act for each object that needs one, in the order of the objects' first hints.
pub(crate) fn decide(hints: &[Hint], coverage: &Coverage) -> Vec<(Key, Act)> {
    let mut groups: Vec<(&Key, Vec<usize>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (index, hint) in hints.iter().enumerate() {
        let place = *places.entry(&hint.key).or_insert_with(|| {
            groups.push((&hint.key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(index);
    }
    let acts =
        groups.into_iter().filter_map(|(key, group)| Some((key.clone(), act(hints, &group, coverage)?)));
    acts.collect()
}

fn act(hints: &[Hint], group: &[usize], coverage: &Coverage) -> Option<Act> {
    let second = group.iter().map(|index| hints[*index].second).max()?;
    let newest: Vec<usize> = group.iter().copied().filter(|index| hints[*index].second == second).collect();
    let last = *newest.last()?;
    let hint = &hints[last];
    let standing = coverage.standing(&hint.key, second);
    if standing == Standing::Old {
        return None;
    }
    // Which of several changes within a second was the last is not told.
    if newest.len() > 1 || standing == Standing::Unsure {
        return Some(Act::Read { second, last, in_doubt: true });
    }
    Some(match (hint.deletes, hint.usable) {
        (true, _) => Act::Delete(last),
        (false, true) => Act::Write(last),
        (false, false) => Act::Read { second, last, in_doubt: false },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::coverage::What;
    use super::*;

    fn key(id: &str) -> Key {
        Key { table: 0, what: What::Row(id.to_owned()) }
    }

    fn hint(id: &str, second: i64) -> Hint {
        Hint { key: key(id), second, deletes: false, usable: true }
    }

    #[test]
    fn the_newest_payload_is_written_once() {
        let hints = [hint("a", 5), hint("b", 6), hint("a", 7)];
        let acts = decide(&hints, &Coverage::new(0));
        assert_eq!(acts, [(key("a"), Act::Write(2)), (key("b"), Act::Write(1))]);
    }

    #[test]
    fn doubt_is_settled_by_reading() {
        let read = |second, last, in_doubt| Act::Read { second, last, in_doubt };
        let same_second = [hint("a", 5), hint("a", 5)];
        assert_eq!(decide(&same_second, &Coverage::new(0)), [(key("a"), read(5, 1, true))]);
        let old_version = [Hint { usable: false, ..hint("a", 5) }];
        assert_eq!(decide(&old_version, &Coverage::new(0)), [(key("a"), read(5, 0, false))]);
        let late = [hint("a", 5)];
        assert_eq!(decide(&late, &Coverage::new(5)), [(key("a"), read(5, 0, true))]);
        let deleted_and_made_again = [Hint { deletes: true, ..hint("a", 5) }, hint("a", 5)];
        assert_eq!(decide(&deleted_and_made_again, &Coverage::new(0)), [(key("a"), read(5, 1, true))]);
    }

    #[test]
    fn deletes_need_no_reading() {
        let hints = [hint("a", 4), Hint { deletes: true, usable: false, ..hint("a", 5) }];
        assert_eq!(decide(&hints, &Coverage::new(0)), [(key("a"), Act::Delete(1))]);
    }

    #[test]
    fn old_news_costs_nothing() {
        let mut coverage = Coverage::new(0);
        coverage.written(key("a"), 9);
        assert_eq!(decide(&[hint("a", 8), hint("a", 8)], &coverage), []);
        assert!(matches!(decide(&[hint("a", 9)], &coverage)[..], [(_, Act::Read { .. })]));
    }

    proptest! {
        /// However the events of one object are ordered, doubled and cut into batches, its row ends as Stripe's
        /// last state, if what is late is not later than the coverage remembers.
        #[test]
        fn any_order_ends_in_the_last_state(
            seconds in prop::collection::vec(1..6i64, 1..8),
            deletes in prop::collection::vec(any::<bool>(), 8),
            order in prop::collection::vec(0..8usize, 1..24),
            cuts in prop::collection::vec(1..4usize, 24),
        ) {
            // History: change number n happens at the n-th second; the state is the number of the last change.
            let mut seconds = seconds;
            seconds.sort_unstable();
            let truth = seconds.len() - 1;
            let state_of = |change: usize| (!deletes[change]).then_some(change);
            // Delivery: every change at least once, in any order.
            let mut delivered: Vec<usize> = order.into_iter().map(|at| at % seconds.len()).collect();
            delivered.extend(0..seconds.len());
            let mut coverage = Coverage::new(0);
            // The destination: version and content, newer or as new wins; a delete wins over its own second.
            let mut row: (i64, Option<usize>, bool) = (i64::MIN, None, false);
            let mut rest = &delivered[..];
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (batch, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                let hints: Vec<Hint> = batch
                    .iter()
                    .map(|&change| Hint { deletes: deletes[change], ..hint("a", seconds[change]) })
                    .collect();
                for (key, act) in decide(&hints, &coverage) {
                    let (version, content, written) = match act {
                        Act::Write(index) => (hints[index].second, state_of(batch[index]), hints[index].second),
                        Act::Delete(index) => (hints[index].second, None, hints[index].second),
                        // Reading happens after everything; it shows the truth as of a later second.
                        Act::Read { .. } => (10, state_of(truth), 11),
                    };
                    let dead = content.is_none();
                    let wins = if row.2 && !dead { version > row.0 } else { version >= row.0 };
                    if wins {
                        row = (version, content, dead);
                    }
                    coverage.written(key, written);
                }
            }
            prop_assert_eq!(row.1, state_of(truth));
        }
    }
}
