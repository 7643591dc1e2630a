//! A stream's tab in memory: what records do to its rows. Decides only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use protocol::{Batch, PARENT_ID, Record, Sweep, Timestamp, scalar_text};
use serde_json::value::RawValue;

use crate::api::Tab;
use crate::books::{Books, Kind};
use crate::cell;
use crate::columns::Columns;
use crate::error::SheetsError;
use crate::index::{Child, Entry, Index, key_of};
use crate::layout::{Layout, SYNCED_AT};
use crate::ranges;

/// A stream that can be written.
#[derive(Debug)]
pub(crate) struct StreamTab {
    pub(crate) layout: Layout,
    pub(crate) tab: Tab,
    pub(crate) columns: Columns,
    pub(crate) index: Index,
    /// Why nothing more of it can be written: what memory says is not what the tab holds.
    pub(crate) broken: Option<String>,
    /// Rows were lost after the source had been told where it stands: its states are not kept in this run.
    pub(crate) tainted: bool,
    /// Columns of which was said that a text was cut.
    pub(crate) cut: BTreeSet<String>,
    /// When its rows were read last, and when they were written.
    pub(crate) looked: Instant,
    pub(crate) wrote: Instant,
}

/// What a batch does to a tab.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// The JSON of value ranges.
    pub(crate) ranges: Vec<String>,
    /// The grid that they need.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Sentences for people.
    pub(crate) warnings: Vec<String>,
}

/// The members of a record; of a repeated key the last counts.
type Members<'r> = HashMap<Cow<'r, str>, &'r RawValue>;

/// The rows that a batch changes, as the JSON of their cells.
struct Edits<'s> {
    stream: &'s mut StreamTab,
    books: &'s mut Books,
    rows: BTreeMap<usize, String>,
    /// Rows that are to be emptied.
    emptied: BTreeSet<usize>,
    header_changed: bool,
    warnings: Vec<String>,
    now: Timestamp,
}

impl StreamTab {
    /// The tab of a stream, before its rows are read.
    pub(crate) fn new(layout: Layout, tab: Tab, columns: Columns) -> StreamTab {
        let now = Instant::now();
        StreamTab {
            layout,
            tab,
            columns,
            index: Index::default(),
            broken: None,
            tainted: false,
            cut: BTreeSet::new(),
            looked: now,
            wrote: now,
        }
    }

    /// Whether somebody may have changed the tab since it was looked at: users sort, insert and delete rows while a
    /// sync is at work. While it writes without a pause, it looks once a minute.
    pub(crate) fn is_stale(&self, now: Instant, minute: Duration) -> bool {
        self.broken.is_none()
            && (now.duration_since(self.looked) >= minute
                || now.duration_since(self.wrote.max(self.looked)) >= minute / 6)
    }

    /// Takes in a first row that was read again. Answers the columns that are no longer there.
    pub(crate) fn take_header(&mut self, cells: &[serde_json::Value]) -> Vec<String> {
        let ours = self.columns.our_names();
        self.columns = Columns::read(cells, &ours);
        if let Some(field) = self.layout.key.iter().find(|field| self.columns.position(field).is_none()) {
            let (stream, tab) = (self.layout.stream.to_string(), self.tab.title.clone());
            self.broken = Some(SheetsError::NotOurs { stream, tab, field: field.clone() }.to_string());
        }
        self.columns.lost(&ours)
    }

    fn wrong(&self, problem: String) -> SheetsError {
        SheetsError::Record { stream: self.layout.stream.to_string(), problem }
    }

    /// Applies the records of a batch, one after the other.
    pub(crate) fn plan(
        &mut self,
        batch: &Batch,
        books: &mut Books,
        now: Timestamp,
    ) -> Result<Planned, SheetsError> {
        self.plan_records(batch.records(), books, now)
    }

    fn plan_records<'r>(
        &mut self,
        records: impl Iterator<Item = &'r Record>,
        books: &mut Books,
        now: Timestamp,
    ) -> Result<Planned, SheetsError> {
        let mut edits = Edits {
            stream: self,
            books,
            rows: BTreeMap::new(),
            emptied: BTreeSet::new(),
            header_changed: false,
            warnings: Vec::new(),
            now,
        };
        for record in records {
            match Sweep::of(record).transpose() {
                Ok(Some(sweep)) => edits.sweep(&sweep),
                Ok(None) => edits.record(record)?,
                Err(error) => {
                    let text = error.to_string();
                    return Err(edits.stream.wrong(text));
                }
            }
        }
        Ok(edits.finish())
    }

    /// Value ranges that empty rows.
    pub(crate) fn emptied(&self, rows: &[usize]) -> Vec<String> {
        let cleared = self.columns.cleared();
        let rows = rows.iter().map(|row| (*row, cleared.clone())).collect();
        ranges::of_rows(&self.tab.title, &rows, self.columns.len())
    }

    /// The value range of the names of its columns.
    pub(crate) fn header(&self) -> String {
        let names: Vec<String> = self
            .columns
            .ours()
            .map(|name| name.map_or("null".to_owned(), |name| serde_json::Value::from(name).to_string()))
            .collect();
        let range = crate::a1::rows(&self.tab.title, 1, 1, self.columns.len());
        ranges::range(&range, &format!("[{}]", names.join(",")))
    }

    /// The requests that give columns a list of texts to choose from, where it is not the known one. Columns of users are
    /// left alone.
    pub(crate) fn lists(&self, known: &[(String, Vec<String>)]) -> Vec<serde_json::Value> {
        if self.tab.rows < 2 {
            return Vec::new();
        }
        let new = self.layout.enums.iter().filter(|list| !known.contains(list));
        let placed = new.filter_map(|(name, texts)| Some((self.columns.position(name)?, texts)));
        let request = |(column, texts): (usize, &Vec<String>)| {
            let values: Vec<_> =
                texts.iter().map(|text| serde_json::json!({"userEnteredValue": text})).collect();
            serde_json::json!({"setDataValidation": {
                "range": {
                    "sheetId": self.tab.id, "startRowIndex": 1, "startColumnIndex": column, "endColumnIndex": column + 1,
                },
                "rule": {
                    "condition": {"type": "ONE_OF_LIST", "values": values}, "strict": true, "showCustomUi": true,
                },
            }})
        };
        placed.map(request).collect()
    }

    /// What the books say of its tab.
    pub(crate) fn entry(&self) -> String {
        serde_json::json!({
            "sheet": self.tab.id, "key": self.layout.key, "columns": self.columns.our_names(),
            "enums": self.layout.enums,
        })
        .to_string()
    }
}

impl Edits<'_> {
    fn record(&mut self, record: &Record) -> Result<(), SheetsError> {
        let members: Members<'_> = record.data.read().map_err(|error| {
            self.stream.wrong(format!("a record is not an object that can be read: {error}"))
        })?;
        let layout = &self.stream.layout;
        let value = |field: &String| {
            let value = members.get(field.as_str()).copied().and_then(scalar_text);
            value.filter(|value| !value.is_empty())
        };
        let values: Vec<Cow<'_, str>> = layout.key.iter().filter_map(value).collect();
        if let Some(missing) = layout.key.iter().find(|field| value(field).is_none()) {
            let known = layout.key.iter().filter_map(|field| Some(format!("{field}: {}", value(field)?)));
            let known = known.collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "no other key field is set".to_owned() } else { known };
            return Err(self
                .stream
                .wrong(format!("a record has no `{missing}`, which is part of the primary key ({known})")));
        }
        let key = key_of(values.iter().map(AsRef::as_ref));
        let version = members.get(layout.newer_than.as_str());
        let seconds = version.and_then(|value| value.get().parse::<i64>().ok());
        match (record.deleted, seconds) {
            (true, Some(seconds)) => self.delete(&key, seconds, false),
            (true, None) => self.delete(&key, self.now.unix_seconds(), true),
            (false, Some(seconds)) => self.upsert(key, seconds, &members),
            (false, None) => {
                let found = version.map_or("it is missing".to_owned(), |value| {
                    format!("found {}", value.get().chars().take(40).collect::<String>())
                });
                return Err(self.stream.wrong(format!(
                    "the record {key} needs its version, whole seconds, in `{}`: {found}",
                    layout.newer_than
                )));
            }
        }
        Ok(())
    }

    fn deleted(&self, key: &str) -> Option<i64> {
        self.books.get(Kind::Deleted, &self.stream.layout.stream, key)?.parse().ok()
    }

    fn upsert(&mut self, key: Box<str>, version: i64, members: &Members<'_>) {
        if let Some(deleted) = self.deleted(&key) {
            if version <= deleted {
                return;
            }
            self.books.remove(Kind::Deleted, &self.stream.layout.stream, &key);
        }
        let row = match self.stream.index.get(&key) {
            Some(entry) if version < entry.version => return,
            Some(entry) => entry.row,
            None => self.stream.index.allocate(),
        };
        let text = |name: &str| members.get(name).copied().and_then(scalar_text).unwrap_or_default();
        let parent = text(PARENT_ID);
        let child = (!parent.is_empty()).then(|| Child {
            parent: parent.into(),
            id: text("id").into(),
            account: text("_account_id").into(),
        });
        self.emptied.remove(&row);
        let cells = self.cells(&key, members);
        self.rows.insert(row, cells);
        self.stream.index.put(key, Entry { row, version, child });
    }

    /// The cells of a row; columns that are new are added.
    fn cells(&mut self, key: &str, members: &Members<'_>) -> String {
        let StreamTab { columns, cut, layout, .. } = &mut *self.stream;
        let mut new: Vec<&Cow<'_, str>> =
            members.keys().filter(|name| !name.is_empty() && columns.position(name).is_none()).collect();
        new.sort_unstable();
        for name in new {
            self.header_changed |= columns.add(name);
        }
        for name in members.keys().filter(|name| !name.is_empty()) {
            self.header_changed |= columns.add(name);
        }
        let mut cells = String::from("[");
        for (at, column) in columns.ours().enumerate() {
            if at > 0 {
                cells.push(',');
            }
            let Some(name) = column else {
                cells.push_str("null");
                continue;
            };
            if name == SYNCED_AT {
                cells.push_str(&format!("\"{}\"", self.now));
                continue;
            }
            let written = cell::written(members.get(name).copied());
            cells.push_str(&written.json);
            if written.cut && cut.insert(name.to_owned()) {
                self.warnings.push(format!(
                    "stream `{}`: `{name}` of {key} has more than {} characters, which a cell of Google Sheets cannot hold; it was \
                     cut, and so will be others",
                    layout.stream,
                    cell::CELL_CHARACTERS
                ));
            }
        }
        cells.push(']');
        cells
    }

    /// Deletes a row unless it is newer; `forced` in any case. The deletion is remembered, so that older writes do not undo it.
    fn delete(&mut self, key: &str, version: i64, forced: bool) {
        match self.stream.index.get(key) {
            Some(entry) if !forced && entry.version > version => return,
            Some(_) => self.remove(key),
            None => {}
        }
        self.remember(key, version);
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.stream.index.remove(key) {
            self.rows.remove(&entry.row);
            self.emptied.insert(entry.row);
        }
    }

    fn remember(&mut self, key: &str, version: i64) {
        if self.deleted(key).is_none_or(|before| before < version) {
            self.books.set(Kind::Deleted, &self.stream.layout.stream, key, &version.to_string());
        }
    }

    /// Deletes the children that are gone; remembered as of the second before, so that a read of the same second may
    /// bring them back.
    fn sweep(&mut self, sweep: &Sweep) {
        for key in self.stream.index.children(&sweep.parent) {
            let Some(entry) = self.stream.index.get(&key) else { continue };
            let gone = entry.version <= sweep.version
                && entry.child.as_ref().is_some_and(|child| {
                    *child.account == *sweep.account && !sweep.keep.iter().any(|kept| **kept == *child.id)
                });
            if gone {
                self.remove(&key);
                self.remember(&key, sweep.version.saturating_sub(1));
            }
        }
    }

    fn finish(self) -> Planned {
        let Edits { stream, books, mut rows, emptied, header_changed, warnings, .. } = self;
        let cleared = stream.columns.cleared();
        rows.extend(emptied.into_iter().map(|row| (row, cleared.clone())));
        let columns = stream.columns.len();
        let mut planned = Planned { warnings, ..Planned::default() };
        if header_changed {
            planned.ranges.push(stream.header());
            books.set(Kind::Stream, &stream.layout.stream, "", &stream.entry());
        }
        planned.ranges.extend(ranges::of_rows(&stream.tab.title, &rows, columns));
        if !planned.ranges.is_empty() {
            planned.rows = rows.keys().next_back().copied().unwrap_or_default();
            planned.columns = columns;
            books.set(Kind::Count, &stream.layout.stream, "", &stream.index.count().to_text());
        }
        planned
    }
}
