//! Which row of a tab holds which key, as the tab itself says. Decides only.

use std::collections::{BTreeSet, HashMap, HashSet};

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::cell::read_text;

/// The row below the names.
pub(crate) const FIRST_ROW: usize = 2;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number, as in the tab.
    pub(crate) row: usize,
    /// Its version; the oldest where the cell does not hold one.
    pub(crate) version: i64,
    /// Whose child it is.
    pub(crate) child: Option<Child>,
}

/// What a sweep asks about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) parent: Box<str>,
    pub(crate) id: Box<str>,
    pub(crate) account: Box<str>,
}

/// The rows of a tab by their keys, which are JSON arrays of texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    rows: HashMap<Box<str>, Entry>,
    children: HashMap<Box<str>, HashSet<Box<str>>>,
    free: BTreeSet<usize>,
    end: usize,
    sum: u64,
}

/// Keys as they are counted in the books: how many, and the sum of their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) keys: usize,
    pub(crate) sum: u64,
}

impl Count {
    /// As it stands in a cell.
    pub(crate) fn to_text(self) -> String {
        format!("{} {:016x}", self.keys, self.sum)
    }

    /// What [`Count::to_text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Count> {
        let (keys, sum) = text.split_once(' ')?;
        Some(Count { keys: keys.parse().ok()?, sum: u64::from_str_radix(sum, 16).ok()? })
    }
}

/// The columns of a tab that tell rows apart, from the second row on, without empty ends.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The columns of the key, in its order.
    pub(crate) key: Vec<Vec<Value>>,
    pub(crate) version: Vec<Value>,
    pub(crate) parent: Vec<Value>,
    pub(crate) id: Vec<Value>,
    pub(crate) account: Vec<Value>,
}

/// A key as a JSON array of texts.
pub(crate) fn key_of<'t>(values: impl Iterator<Item = &'t str>) -> Box<str> {
    let values: Vec<&str> = values.collect();
    // Texts can always be written.
    serde_json::to_string(&values).unwrap_or_default().into()
}

fn hash(key: &str) -> u64 {
    let digest = digest(&SHA256, key.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

impl Index {
    /// What the columns say, and the rows that have to be emptied: the older ones of two rows of a key, and those
    /// in which a part of the key is missing.
    pub(crate) fn read(watched: &Watched) -> (Index, Vec<usize>) {
        let text = |column: &[Value], at: usize| column.get(at).map(read_text).unwrap_or_default();
        let Watched { key, version, parent, id, account } = watched;
        let others = [version, parent, id, account];
        let count = key.iter().chain(others).map(Vec::len).max().unwrap_or_default();
        let mut index = Index { end: FIRST_ROW + count, ..Index::default() };
        let mut emptied = Vec::new();
        for at in 0..count {
            let row = FIRST_ROW + at;
            let values: Vec<String> = key.iter().map(|column| text(column, at)).collect();
            if values.iter().any(String::is_empty) {
                let blank = values.iter().all(String::is_empty)
                    && others.iter().all(|column| text(column, at).is_empty());
                if !blank {
                    emptied.push(row);
                }
                index.free.insert(row);
                continue;
            }
            let key = key_of(values.iter().map(String::as_str));
            let version = text(version, at).parse().unwrap_or(i64::MIN);
            let parent = text(parent, at);
            let child = (!parent.is_empty()).then(|| Child {
                parent: parent.into(),
                id: text(id, at).into(),
                account: text(account, at).into(),
            });
            let twin = index.rows.get(&key).map(|twin| (twin.row, twin.version));
            match twin {
                Some((_, newer)) if newer >= version => {
                    emptied.push(row);
                    index.free.insert(row);
                }
                Some((older, _)) => {
                    emptied.push(older);
                    index.remove(&key);
                    index.put(key, Entry { row, version, child });
                }
                None => index.put(key, Entry { row, version, child }),
            }
        }
        (index, emptied)
    }

    /// The row of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.rows.get(key)
    }

    /// A row for a new key: an empty one, or the next.
    pub(crate) fn allocate(&mut self) -> usize {
        self.free.pop_first().unwrap_or_else(|| {
            let row = self.end.max(FIRST_ROW);
            self.end = row + 1;
            row
        })
    }

    /// Notes what a row holds now.
    pub(crate) fn put(&mut self, key: Box<str>, entry: Entry) {
        if let Some(child) = &entry.child {
            self.children.entry(child.parent.clone()).or_default().insert(key.clone());
        }
        match self.rows.get_mut(&key) {
            Some(before) => {
                if before.child.as_ref().map(|child| &child.parent)
                    != entry.child.as_ref().map(|child| &child.parent)
                    && let Some(child) = &before.child
                    && let Some(siblings) = self.children.get_mut(&child.parent)
                {
                    siblings.remove(&key);
                }
                *before = entry;
            }
            None => {
                self.sum = self.sum.wrapping_add(hash(&key));
                self.rows.insert(key, entry);
            }
        }
    }

    /// Forgets a key; its row is free from now on.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let entry = self.rows.remove(key)?;
        self.sum = self.sum.wrapping_sub(hash(key));
        if let Some(child) = &entry.child
            && let Some(siblings) = self.children.get_mut(&child.parent)
        {
            siblings.remove(key);
        }
        self.free.insert(entry.row);
        Some(entry)
    }

    /// The keys of the children of a parent.
    pub(crate) fn children(&self, parent: &str) -> Vec<Box<str>> {
        let mut keys: Vec<Box<str>> =
            self.children.get(parent).into_iter().flatten().map(Clone::clone).collect();
        keys.sort_unstable();
        keys
    }

    /// How many keys there are, and which.
    pub(crate) fn count(&self) -> Count {
        Count { keys: self.rows.len(), sum: self.sum }
    }
}

#[cfg(test)]
mod tests;
