//! The hidden tab that keeps what is not data: states, deletions, which tab and columns are ours, and how many keys
//! each stream has. Decides only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::a1;
use crate::cell::read_text;
use crate::ranges;

/// The name of the tab.
pub(crate) const TITLE: &str = "_sync_engine";
/// What stands in its first row.
pub(crate) const HEADER: [&str; 4] = ["kept by sync-engine, do not edit", "name", "key", "value"];
/// Cells of the first row: the names, and who writes.
pub(crate) const FIRST: usize = HEADER.len() + 1;
/// Cells before the value.
const FIXED: usize = 3;
/// Most characters of a value in one cell; longer values go on in the next.
const PIECE: usize = 40_000;
/// The row below the names.
const FIRST_ROW: usize = 2;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Of a stream: its tab and columns, as JSON.
    Stream,
    /// Of a stream: how many keys it has, and which.
    Count,
    /// Of a sync and a stream: a state, as JSON.
    State,
    /// Of a stream and a key: the second of its deletion.
    Deleted,
    /// That the spreadsheet was made by us.
    Made,
    /// The number of the tab that explains the others.
    Overview,
}

impl Kind {
    const ALL: [Kind; 6] =
        [Kind::Stream, Kind::Count, Kind::State, Kind::Deleted, Kind::Made, Kind::Overview];

    fn text(self) -> &'static str {
        match self {
            Kind::Stream => "stream",
            Kind::Count => "count",
            Kind::State => "state",
            Kind::Deleted => "deleted",
            Kind::Made => "made",
            Kind::Overview => "overview",
        }
    }
}

#[derive(Debug)]
struct Entry {
    row: usize,
    value: String,
    /// Cells that it has.
    width: usize,
}

type Id = (Kind, String, String);

/// The entries, and the rows that changed since they were written last.
#[derive(Debug, Default)]
pub(crate) struct Books {
    entries: BTreeMap<Id, Entry>,
    free: BTreeSet<usize>,
    end: usize,
    writer: String,
    changed: BTreeMap<usize, Vec<String>>,
}

impl Books {
    /// What the tab's rows say, its first included.
    pub(crate) fn read(rows: &[Vec<Value>]) -> Books {
        let writer = rows.first().map(|first| writer_of(first)).unwrap_or_default();
        let mut books = Books { end: rows.len().max(1) + 1, writer, ..Books::default() };
        for (row, cells) in (FIRST_ROW..).zip(rows.iter().skip(1)) {
            let texts: Vec<String> = cells.iter().map(read_text).collect();
            let kind = texts.first().and_then(|text| Kind::ALL.into_iter().find(|kind| kind.text() == text));
            let (Some(kind), true) = (kind, texts.len() > FIXED) else {
                books.free.insert(row);
                continue;
            };
            let id = (kind, texts[1].clone(), texts[2].clone());
            let entry = Entry { row, value: texts[FIXED..].concat(), width: texts.len() };
            books.entries.entry(id).or_insert(entry);
        }
        books
    }

    /// Who wrote the spreadsheet last, as far as it was said.
    pub(crate) fn writer(&self) -> &str {
        &self.writer
    }

    /// The value of an entry.
    pub(crate) fn get(&self, kind: Kind, name: &str, key: &str) -> Option<&str> {
        let entry = self.entries.get(&(kind, name.to_owned(), key.to_owned()))?;
        Some(&entry.value)
    }

    /// Names, keys and values of a kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&str, &str, &str)> {
        let entries = self.entries.iter().filter(move |((other, _, _), _)| *other == kind);
        entries.map(|((_, name, key), entry)| (name.as_str(), key.as_str(), entry.value.as_str()))
    }

    /// Sets an entry.
    pub(crate) fn set(&mut self, kind: Kind, name: &str, key: &str, value: &str) {
        let id = (kind, name.to_owned(), key.to_owned());
        let mut cells = vec![kind.text().to_owned(), name.to_owned(), key.to_owned()];
        let characters: Vec<char> = value.chars().collect();
        cells.extend(characters.chunks(PIECE).map(|piece| piece.iter().collect::<String>()));
        let width = cells.len();
        let (row, before) = match self.entries.get(&id) {
            Some(entry) if entry.value == value => return,
            Some(entry) => (entry.row, entry.width),
            None => (self.allocate(), 0),
        };
        cells.resize(width.max(before), String::new());
        self.entries.insert(id, Entry { row, value: value.to_owned(), width });
        self.changed.insert(row, cells);
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, kind: Kind, name: &str, key: &str) {
        if let Some(entry) = self.entries.remove(&(kind, name.to_owned(), key.to_owned())) {
            self.free.insert(entry.row);
            self.changed.insert(entry.row, vec![String::new(); entry.width]);
        }
    }

    fn allocate(&mut self) -> usize {
        self.free.pop_first().unwrap_or_else(|| {
            let row = self.end.max(FIRST_ROW);
            self.end = row + 1;
            row
        })
    }

    /// What has to be written: value ranges, and the rows and columns that the tab needs for them.
    pub(crate) fn take_changes(&mut self) -> Changes {
        let changed = std::mem::take(&mut self.changed);
        let columns = changed.values().map(Vec::len).max().unwrap_or_default();
        let rows = changed.keys().next_back().copied().unwrap_or_default();
        let json = changed.iter().map(|(row, cells)| (*row, ranges::texts(cells))).collect();
        Changes { ranges: ranges::of_rows(TITLE, &json, columns), rows, columns }
    }
}

/// The writer that the first row names; empty where it names none.
pub(crate) fn writer_of(first: &[Value]) -> String {
    first.get(HEADER.len()).map(read_text).unwrap_or_default()
}

/// The first row, as a value range that says who writes.
pub(crate) fn first_row(writer: &str) -> String {
    let cells: Vec<&str> = HEADER.into_iter().chain([writer]).collect();
    ranges::range(&a1::rows(TITLE, 1, 1, FIRST), &ranges::texts(&cells))
}

/// Changes of a tab: the JSON of value ranges, and the grid that they need.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) ranges: Vec<String>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_row_says_who_writes() {
        let written: Value = serde_json::from_str(&first_row("me")).unwrap();
        let rows: Vec<Vec<Value>> = serde_json::from_value(written["values"].clone()).unwrap();
        assert_eq!(Books::read(&rows).writer(), "me");
        assert_eq!(Books::read(&[vec![json!("kept by")]]).writer(), "");
    }

    #[test]
    fn entries_come_back() {
        let mut books = Books::read(&[]);
        let long = "é".repeat(100_000);
        books.set(Kind::State, "a", "customer", &long);
        books.set(Kind::Deleted, "customer", "[\"x\"]", "7");
        let changes = books.take_changes();
        assert_eq!((changes.rows, changes.columns), (3, 6));
        let written: Value = serde_json::from_str(&changes.ranges[0]).unwrap();
        let mut rows = vec![vec![json!("header")]];
        rows.extend(serde_json::from_value::<Vec<Vec<Value>>>(written["values"].clone()).unwrap());
        let mut books = Books::read(&rows);
        assert_eq!(books.get(Kind::State, "a", "customer"), Some(long.as_str()));
        assert_eq!(books.of_kind(Kind::Deleted).collect::<Vec<_>>(), [("customer", "[\"x\"]", "7")]);

        books.set(Kind::Deleted, "customer", "[\"x\"]", "7");
        assert!(books.take_changes().ranges.is_empty());
        // What was longer before is emptied, and free rows are used again.
        books.set(Kind::State, "a", "customer", "{}");
        books.remove(Kind::Deleted, "customer", "[\"x\"]");
        books.set(Kind::Count, "customer", "", "0 0");
        let changes = books.take_changes();
        assert!(
            changes.ranges[0]
                .contains(r#"["state","a","customer","{}","",""],["count","customer","","0 0"]"#)
        );
        assert_eq!(changes.rows, 3);
    }
}
