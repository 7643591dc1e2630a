//! Reducing a batch to one change per key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::{RawJson, Sweep};

use super::row::{Change, Key, Row};

/// A part of a batch: what to write, and what to sweep then.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(super) plan: Plan,
    pub(super) sweeps: Vec<Sweep>,
}

impl Step {
    /// Whether nothing is deleted.
    pub(super) fn only_upserts(&self) -> bool {
        self.plan.deletes.is_empty() && self.sweeps.is_empty()
    }
}

/// What a batch does to the table, one change per key, in the order of the keys: two writers that
/// take rows in the same order cannot lock each other out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) upserts: Vec<Upsert>,
    pub(super) deletes: Vec<Delete>,
}

/// A row to write where nothing newer is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upsert {
    pub(super) key: Key,
    pub(super) version: i64,
    pub(super) payload: RawJson,
}

/// A row to delete where nothing newer is stored, or unconditionally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delete {
    pub(super) key: Key,
    pub(super) version: i64,
    pub(super) unconditional: bool,
}

impl Plan {
    /// The plan that does to any table what the rows would do one after the other.
    pub(super) fn of<E>(rows: impl Iterator<Item = Result<Row, E>>) -> Result<Plan, E> {
        let mut last: HashMap<Key, Change> = HashMap::new();
        for row in rows {
            let Row { key, change } = row?;
            match last.entry(key) {
                Entry::Vacant(place) => drop(place.insert(change)),
                Entry::Occupied(mut earlier) => follow(earlier.get_mut(), change),
            }
        }
        let mut plan = Plan::default();
        for (key, change) in last {
            match change {
                Change::Upsert { version, payload } => plan.upserts.push(Upsert { key, version, payload }),
                Change::Delete { version, unconditional } => {
                    plan.deletes.push(Delete { key, version, unconditional });
                }
            }
        }
        plan.upserts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        plan.deletes.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(plan)
    }
}

/// What is left of two changes of one key, the later one second: an upsert replaces what is as
/// old or older, and undoes only deletions that are older; a deletion removes what is as old or older.
fn follow(earlier: &mut Change, later: Change) {
    let replaces = match (&*earlier, &later) {
        (Change::Upsert { version: old, .. }, Change::Upsert { version: new, .. }) => new >= old,
        (Change::Delete { version: old, .. }, Change::Upsert { version: new, .. }) => new > old,
        (Change::Upsert { version: old, .. }, Change::Delete { version: new, unconditional }) => {
            *unconditional || new >= old
        }
        (Change::Delete { .. }, Change::Delete { .. }) => false,
    };
    if replaces {
        *earlier = later;
    } else if let (
        Change::Delete { version, unconditional },
        Change::Delete { version: also, unconditional: also_unconditional },
    ) = (earlier, later)
    {
        *version = also.max(*version);
        *unconditional |= also_unconditional;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What a table knows of a key: the row's version and payload, or the tombstone's version.
    #[derive(Debug, Clone, PartialEq)]
    enum Stored {
        Row(i64, RawJson),
        Gone(i64),
    }

    type Table = BTreeMap<Key, Stored>;

    /// The rules, one change at a time.
    fn apply(table: &mut Table, key: &Key, change: &Change) {
        let stored = table.get(key).cloned();
        let next = match (stored, change) {
            (None | Some(Stored::Row(..) | Stored::Gone(_)), Change::Upsert { version, payload }) => {
                let blocked = match table.get(key) {
                    Some(Stored::Row(old, _)) => version < old,
                    Some(Stored::Gone(old)) => version <= old,
                    None => false,
                };
                if blocked {
                    return;
                }
                Stored::Row(*version, payload.clone())
            }
            (Some(Stored::Row(old, _)), Change::Delete { version, unconditional })
                if !unconditional && *version < old =>
            {
                return;
            }
            (Some(Stored::Gone(old)), Change::Delete { version, .. }) => Stored::Gone(old.max(*version)),
            (_, Change::Delete { version, .. }) => Stored::Gone(*version),
        };
        table.insert(key.clone(), next);
    }

    fn change() -> impl Strategy<Value = Change> {
        let upsert = (0..6_i64, 0..3_u8).prop_map(|(version, content)| {
            let payload = RawJson::parse(content.to_string()).unwrap();
            Change::Upsert { version, payload }
        });
        let delete = (0..6_i64).prop_map(|version| Change::Delete { version, unconditional: false });
        // Unconditional deletions carry the present, which no earlier or later version exceeds.
        let forced = Just(Change::Delete { version: 9, unconditional: true });
        prop_oneof![4 => upsert, 2 => delete, 1 => forced]
    }

    fn row() -> impl Strategy<Value = Row> {
        (0..3_u8, change()).prop_map(|(key, change)| Row { key: Key(vec![key.to_string()]), change })
    }

    proptest! {
        #[test]
        fn a_plan_does_what_its_rows_would_do(
            before in prop::collection::vec(row(), 0..8),
            rows in prop::collection::vec(row(), 0..12),
        ) {
            let mut one_by_one = Table::new();
            for row in &before {
                apply(&mut one_by_one, &row.key, &row.change);
            }
            let mut planned = one_by_one.clone();
            for row in &rows {
                apply(&mut one_by_one, &row.key, &row.change);
            }
            let plan = Plan::of(rows.into_iter().map(Ok::<_, ()>)).unwrap();
            for Upsert { key, version, payload } in plan.upserts {
                apply(&mut planned, &key, &Change::Upsert { version, payload });
            }
            for Delete { key, version, unconditional } in plan.deletes {
                apply(&mut planned, &key, &Change::Delete { version, unconditional });
            }
            prop_assert_eq!(planned, one_by_one);
        }

        #[test]
        fn a_plan_written_twice_changes_nothing_more(rows in prop::collection::vec(row(), 0..12)) {
            let plan = Plan::of(rows.into_iter().map(Ok::<_, ()>)).unwrap();
            let mut table = Table::new();
            let write = |table: &mut Table| {
                for Upsert { key, version, payload } in &plan.upserts {
                    apply(table, key, &Change::Upsert { version: *version, payload: payload.clone() });
                }
                for Delete { key, version, unconditional } in &plan.deletes {
                    apply(table, key, &Change::Delete { version: *version, unconditional: *unconditional });
                }
            };
            write(&mut table);
            let once = table.clone();
            write(&mut table);
            prop_assert_eq!(table, once);
        }
    }
}
