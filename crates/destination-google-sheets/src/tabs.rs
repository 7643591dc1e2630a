//! Which tab belongs to which stream, and what has to be made. Decides only.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Described, Tab};
use crate::books::{self, Books, Kind};
use crate::columns::Columns;
use crate::error::{SPREADSHEET_CELLS, SheetsError};
use crate::layout::Layout;

/// Rows of a tab that is made; it grows when they are used.
const NEW_ROWS: usize = 100;
/// Rows and columns of the hidden tab that is made.
const BOOKS_GRID: (usize, usize) = (200, 5);
/// Most characters of a tab's name.
const TITLE: usize = 100;
/// What stands on a protected tab.
pub(crate) const PROTECTION: &str = "Managed by sync-engine: edits may be overwritten by the next sync";
/// The tab that explains the others.
pub(crate) const OVERVIEW: &str = "Overview";

/// What the books say of a stream.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Kept {
    pub(crate) sheet: i64,
    /// The fields of the primary key.
    #[serde(default)]
    pub(crate) key: Vec<String>,
    #[serde(default)]
    pub(crate) columns: BTreeSet<String>,
    /// The lists that columns were given.
    #[serde(default)]
    pub(crate) enums: Vec<(String, Vec<String>)>,
}

impl Kept {
    /// What the books say of this stream, if anything that can be read.
    pub(crate) fn of(books: &Books, stream: &str) -> Option<Kept> {
        books.get(Kind::Stream, stream, "").and_then(|text| serde_json::from_str(text).ok())
    }
}

/// A stream's place.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) tab: Tab,
    pub(crate) columns: Columns,
    /// Whether the first row has to be written.
    pub(crate) header_changed: bool,
    /// Columns of ours whose names are no longer in the first row: somebody deleted or renamed them.
    pub(crate) lost: Vec<String>,
}

/// What is there, and what is missing.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The requests that make what is missing; then everything is looked at again.
    pub(crate) requests: Vec<Value>,
    pub(crate) places: HashMap<Arc<str>, Place>,
    pub(crate) refused: Vec<(Arc<str>, SheetsError)>,
    /// The numbers of the tabs that the requests make: their titles are not always the streams' names.
    pub(crate) made: HashMap<Arc<str>, i64>,
}

/// A spreadsheet as it was looked at: the tabs, and the first row of each by its number.
pub(crate) struct Seen<'s> {
    pub(crate) described: &'s Described,
    pub(crate) headers: &'s HashMap<i64, Vec<Value>>,
    pub(crate) books: &'s Books,
    /// The tabs that were made for streams before it was looked at.
    pub(crate) made: &'s HashMap<Arc<str>, i64>,
    /// Whether we made it, so that its empty tab is ours.
    pub(crate) is_new: bool,
}

impl Seen<'_> {
    fn tab(&self, find: impl Fn(&Tab) -> bool) -> Option<&Tab> {
        self.described.tabs.iter().find(|tab| find(tab))
    }

    /// Finds a place for each stream, or says what makes one.
    pub(crate) fn plan(&self, layouts: &[Layout]) -> Plan {
        let mut plan = Plan::default();
        let mut cells: usize = self.described.tabs.iter().map(|tab| tab.rows * tab.columns).sum();
        let mut taken: BTreeSet<String> =
            self.described.tabs.iter().map(|tab| tab.title.to_lowercase()).collect();
        taken.extend([books::TITLE.to_lowercase(), OVERVIEW.to_lowercase()]);
        let mut ids: BTreeSet<i64> = self.described.tabs.iter().map(|tab| tab.id).collect();
        if self.tab(|tab| tab.title == books::TITLE).is_none() {
            let (rows, columns) = BOOKS_GRID;
            cells += rows * columns;
            let id = (1..).find(|id| ids.insert(*id)).unwrap_or_default();
            plan.requests.push(json!({"addSheet": {"properties": {
                "sheetId": id,
                "title": books::TITLE, "hidden": true,
                "gridProperties": {"rowCount": rows, "columnCount": columns, "frozenRowCount": 1},
            }}}));
        }
        let mut spare = if self.is_new { self.tab(|tab| tab.title == "Sheet1") } else { None };
        let used: BTreeSet<i64> =
            layouts.iter().filter_map(|layout| Some(Kept::of(self.books, &layout.stream)?.sheet)).collect();
        for layout in layouts {
            let kept = Kept::of(self.books, &layout.stream).unwrap_or_default();
            let ours: BTreeSet<String> =
                layout.columns.iter().cloned().chain(kept.columns.iter().cloned()).collect();
            let known = self.books.get(Kind::Stream, &layout.stream, "").is_some();
            let by_books = self.tab(|tab| known && tab.id == kept.sheet);
            let made = self.made.get(&layout.stream);
            let found = by_books.or_else(|| self.tab(|tab| made == Some(&tab.id))).or_else(|| {
                self.tab(|tab| {
                    tab.title == *layout.stream
                        && tab.title != books::TITLE
                        && !used.contains(&tab.id)
                        && tab.rows > 0
                })
            });
            if let Some(tab) = found {
                let (empty, nothing) = (Vec::new(), BTreeSet::new());
                let header = self.headers.get(&tab.id).unwrap_or(&empty);
                // Of another tab the books do not tell which columns it had.
                let had = if tab.id == kept.sheet { &kept.columns } else { &nothing };
                match place(layout, tab, header, &ours, had) {
                    Ok(place) => {
                        let more = place.columns.len().saturating_sub(tab.columns) * tab.rows;
                        if cells + more > SPREADSHEET_CELLS {
                            let stream = layout.stream.to_string();
                            let error = SheetsError::Full { stream, cells: cells + more };
                            plan.refused.push((Arc::clone(&layout.stream), error));
                            continue;
                        }
                        cells += more;
                        plan.requests.extend(changes(&place));
                        plan.places.insert(Arc::clone(&layout.stream), place);
                    }
                    Err(error) => plan.refused.push((Arc::clone(&layout.stream), error)),
                }
                continue;
            }
            let title = free_title(&layout.stream, &taken);
            taken.insert(title.to_lowercase());
            if let Some(tab) = spare.take() {
                plan.requests.push(json!({"updateSheetProperties": {
                    "properties": {"sheetId": tab.id, "title": title, "gridProperties": {"frozenRowCount": 1}},
                    "fields": "title,gridProperties.frozenRowCount",
                }}));
                plan.requests.push(protect(tab.id));
                plan.made.insert(Arc::clone(&layout.stream), tab.id);
                continue;
            }
            let more = NEW_ROWS * layout.columns.len();
            if cells + more > SPREADSHEET_CELLS {
                let error = SheetsError::Full { stream: layout.stream.to_string(), cells: cells + more };
                plan.refused.push((Arc::clone(&layout.stream), error));
                continue;
            }
            cells += more;
            // A number of our own choice, so that the new tab can be spoken of in the same request.
            let id = (1..).find(|id| ids.insert(*id)).unwrap_or_default();
            plan.requests.push(json!({"addSheet": {"properties": {
                "sheetId": id, "title": title,
                "gridProperties": {"rowCount": NEW_ROWS, "columnCount": layout.columns.len(), "frozenRowCount": 1},
            }}}));
            plan.requests.push(protect(id));
            plan.made.insert(Arc::clone(&layout.stream), id);
        }
        plan
    }
}

/// The stream in a tab, if it is the stream's.
fn place(
    layout: &Layout,
    tab: &Tab,
    header: &[Value],
    ours: &BTreeSet<String>,
    had: &BTreeSet<String>,
) -> Result<Place, SheetsError> {
    let mut columns = Columns::read(header, ours);
    let lost = columns.lost(had);
    let missing = layout.key.iter().find(|field| columns.position(field).is_none());
    if let (Some(field), false) = (missing, columns.is_blank()) {
        let (stream, tab, field) = (layout.stream.to_string(), tab.title.clone(), field.clone());
        return Err(SheetsError::NotOurs { stream, tab, field });
    }
    let before = columns.len();
    for name in &layout.columns {
        columns.add(name);
    }
    Ok(Place { tab: tab.clone(), header_changed: columns.len() > before, columns, lost })
}

/// What a tab is lacking.
fn changes(place: &Place) -> Vec<Value> {
    let Place { tab, columns, .. } = place;
    let mut requests = Vec::new();
    if columns.len() > tab.columns {
        requests.push(json!({"appendDimension": {
            "sheetId": tab.id, "dimension": "COLUMNS", "length": columns.len() - tab.columns,
        }}));
    }
    if tab.frozen == 0 && tab.rows > 1 {
        requests.push(json!({"updateSheetProperties": {
            "properties": {"sheetId": tab.id, "gridProperties": {"frozenRowCount": 1}},
            "fields": "gridProperties.frozenRowCount",
        }}));
    }
    if !tab.protected {
        requests.push(protect(tab.id));
    }
    requests
}

/// Google asks users whether they mean it before they edit the tab.
fn protect(sheet: i64) -> Value {
    json!({"addProtectedRange": {"protectedRange": {
        "range": {"sheetId": sheet}, "description": PROTECTION, "warningOnly": true,
    }}})
}

/// The stream's name as that of a tab: not too long, and none that is there already, in whatever case.
fn free_title(stream: &str, taken: &BTreeSet<String>) -> String {
    let named = |end: &str| {
        let kept = TITLE - end.chars().count();
        format!("{}{end}", stream.chars().take(kept).collect::<String>())
    };
    let mut titles = std::iter::once(named("")).chain((2..).map(|number| named(&format!(" ({number})"))));
    let free = titles.find(|title| !title.is_empty() && !taken.contains(&title.to_lowercase()));
    free.unwrap_or_default()
}
