//! A spreadsheet that is written: looking at it, making what is missing, and the rows that are there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use protocol::{ConfiguredCatalog, LogLevel};
use serde_json::Value;

use crate::a1;
use crate::api::{Described, Spreadsheet};
use crate::books::{self, Books, Kind};
use crate::client::Failure;
use crate::columns::Columns;
use crate::error::SheetsError;
use crate::index::{Count, Index, Watched};
use crate::layout::Layout;
use crate::overview::HEADING;
use crate::ranges;
use crate::stream::StreamTab;
use crate::tabs::{Kept, OVERVIEW, Place, Plan, Seen};

/// How often the tabs are changed until they are as they should be.
const ROUNDS: usize = 4;
/// Most bytes of one request that writes; Google recommends 2 MB and takes somewhat more.
pub(crate) const REQUEST: usize = 4 << 20;

/// The spreadsheet, and what is known of it.
pub(crate) struct Workbook {
    pub(crate) spreadsheet: Spreadsheet,
    pub(crate) described: Described,
    pub(crate) books: Books,
    pub(crate) streams: HashMap<Arc<str>, StreamTab>,
    pub(crate) refused: HashMap<Arc<str>, SheetsError>,
    /// The tab that explains the others, where its first cell says that it does.
    pub(crate) overview: Option<i64>,
}

/// What was read at the beginning.
pub(crate) struct Look {
    pub(crate) described: Described,
    pub(crate) headers: HashMap<i64, Vec<Value>>,
    pub(crate) books: Books,
}

/// Reads the tabs, their first rows, and the books: two requests.
pub(crate) async fn look(spreadsheet: &Spreadsheet) -> Result<Look, SheetsError> {
    let described = spreadsheet.describe().await?;
    let mut headers = HashMap::new();
    let (mut ids, mut ranges) = (Vec::new(), Vec::new());
    for tab in described.tabs.iter().filter(|tab| tab.rows > 0) {
        ids.push(tab.id);
        ranges.push(if tab.title == books::TITLE { a1::quoted(&tab.title) } else { a1::header(&tab.title) });
    }
    let mut kept = Books::read(&[]);
    for (id, mut rows) in ids.into_iter().zip(spreadsheet.values(&ranges, false).await?) {
        if described.tabs.iter().any(|tab| tab.id == id && tab.title == books::TITLE) {
            kept = Books::read(&rows);
        } else if !rows.is_empty() {
            headers.insert(id, rows.swap_remove(0));
        }
    }
    Ok(Look { described, headers, books: kept })
}

impl Workbook {
    /// Makes what the streams of a catalog need and the spreadsheet does not have.
    pub(crate) async fn prepare(
        spreadsheet: Spreadsheet,
        catalog: &ConfiguredCatalog,
        is_new: bool,
    ) -> Result<Workbook, SheetsError> {
        let layouts: Vec<Layout> = catalog.streams.iter().map(Layout::of).collect();
        let mut tabs_made = HashMap::new();
        for _ in 0..ROUNDS {
            let Look { described, headers, books } = look(&spreadsheet).await?;
            let seen =
                Seen { described: &described, headers: &headers, books: &books, made: &tabs_made, is_new };
            let Plan { requests, places, refused, made } = seen.plan(&layouts);
            if requests.is_empty() {
                let mut workbook = Workbook {
                    spreadsheet,
                    books,
                    streams: HashMap::new(),
                    refused: refused.into_iter().collect(),
                    overview: explains(&described, &headers),
                    described,
                };
                if is_new {
                    workbook.books.set(Kind::Made, "", "", "by sync-engine");
                }
                workbook.take_places(layouts, places).await?;
                return Ok(workbook);
            }
            tabs_made.extend(made);
            match spreadsheet.change(&requests).await {
                // What came of it is looked at.
                Ok(()) | Err(Failure::Lost(_)) => {}
                Err(Failure::Refused(error)) => return Err(error),
            }
        }
        Err(SheetsError::Internal("the tabs of the spreadsheet cannot be brought into shape".to_owned()))
    }

    /// Writes first rows that are not complete, and gives columns of few texts a list to choose from.
    async fn take_places(
        &mut self,
        layouts: Vec<Layout>,
        mut places: HashMap<Arc<str>, Place>,
    ) -> Result<(), SheetsError> {
        let (mut data, mut lists) = (Vec::new(), Vec::new());
        for layout in layouts {
            let stream = Arc::clone(&layout.stream);
            let known = Kept::of(&self.books, &stream).unwrap_or_default().enums;
            let Some(Place { tab, columns, header_changed, lost }) = places.remove(&stream) else { continue };
            if !lost.is_empty() {
                self.forget_columns(&stream, &lost);
            }
            let tab = StreamTab::new(layout, tab, columns);
            if header_changed {
                data.push(tab.header());
            }
            lists.extend(tab.lists(&known));
            self.books.set(Kind::Stream, &stream, "", &tab.entry());
            self.streams.insert(stream, tab);
        }
        if !lists.is_empty() {
            self.set_lists(&lists).await?;
        }
        self.write(data).await
    }

    /// Forgets where a stream stands that lost columns: what they held comes back only with every row.
    pub(crate) fn forget_columns(&mut self, stream: &str, lost: &[String]) {
        let had_state = forget_states(&mut self.books, stream);
        let names: Vec<String> = lost.iter().map(|name| format!("`{name}`")).collect();
        let text = format!(
            "stream `{stream}`: columns were deleted or renamed by hand since the last sync ({}); {}",
            names.join(", "),
            what_next(had_state)
        );
        self.spreadsheet.client.say(LogLevel::Warn, text);
    }

    /// Sets what columns may hold, which can be done twice.
    async fn set_lists(&self, requests: &[Value]) -> Result<(), SheetsError> {
        match self.spreadsheet.change(requests).await {
            Err(Failure::Lost(_)) => Ok(self.spreadsheet.change(requests).await?),
            other => Ok(other?),
        }
    }

    /// Writes value ranges and what changed in the books.
    pub(crate) async fn write(&mut self, mut data: Vec<String>) -> Result<(), SheetsError> {
        let changes = self.books.take_changes();
        if data.is_empty() && changes.ranges.is_empty() {
            return Ok(());
        }
        if !changes.ranges.is_empty() {
            data.push(ranges::range(
                &a1::rows(books::TITLE, 1, 1, books::HEADER.len()),
                &ranges::texts(&books::HEADER),
            ));
        }
        self.grow_books(changes.rows, changes.columns).await?;
        data.extend(changes.ranges);
        for request in ranges::requests(data, REQUEST) {
            self.spreadsheet.write(&request, false).await?;
        }
        Ok(())
    }

    /// Reads which rows the tabs hold, empties what is twice, and finds out where rows were deleted by hand.
    /// The states of such streams are forgotten, so that their source reads them again. Answers their names.
    pub(crate) async fn read_rows(&mut self, streams: &[Arc<str>]) -> Result<Vec<Arc<str>>, SheetsError> {
        let mut ranges = Vec::new();
        for stream in streams {
            ranges.extend(self.streams.get(stream).map(watched_ranges).unwrap_or_default());
        }
        let mut read = self.spreadsheet.values(&ranges, true).await?.into_iter();
        let (mut data, mut lost) = (Vec::new(), Vec::new());
        for stream in streams {
            let Some(tab) = self.streams.get_mut(stream) else { continue };
            let watched = take_watched(tab, &mut read);
            let (index, emptied) = Index::read(&watched);
            tab.index = index;
            tab.looked = Instant::now();
            data.extend(tab.emptied(&emptied));
            if is_short(&self.books, stream, &tab.index) {
                let had_state = forget_states(&mut self.books, stream);
                lost.push((Arc::clone(stream), had_state));
            }
            if self.books.get(Kind::Count, stream, "").is_some() {
                self.books.set(Kind::Count, stream, "", &tab.index.count().to_text());
            }
        }
        for (stream, had_state) in &lost {
            let text = format!(
                "stream `{stream}`: rows were deleted or added by hand since the last sync; {}",
                what_next(*had_state)
            );
            self.spreadsheet.client.say(LogLevel::Warn, text);
        }
        self.write(data).await?;
        Ok(lost.into_iter().map(|(stream, _)| stream).collect())
    }
}

/// The tab whose first cell says that it explains the others.
fn explains(described: &Described, headers: &HashMap<i64, Vec<Value>>) -> Option<i64> {
    let is_heading =
        |id: &i64| headers.get(id).and_then(|cells| cells.first()).is_some_and(|cell| *cell == HEADING);
    described.tabs.iter().filter(|tab| tab.title == OVERVIEW).map(|tab| tab.id).find(is_heading)
}

/// Whether the keys are not those that were counted.
fn is_short(books: &Books, stream: &str, index: &Index) -> bool {
    let counted = books.get(Kind::Count, stream, "").and_then(Count::parse);
    counted.is_some_and(|counted| counted != index.count())
}

/// What becomes of a stream that something is missing of.
fn what_next(had_state: bool) -> &'static str {
    match had_state {
        true => "it is read again from the beginning",
        // Whoever keeps it has to forget it.
        false => "what is missing comes back when it is read from the beginning, without its state",
    }
}

/// Forgets what every sync said of a stream. Answers whether there was anything.
fn forget_states(books: &mut Books, stream: &str) -> bool {
    let syncs: Vec<String> = books
        .of_kind(Kind::State)
        .filter(|(_, key, _)| *key == stream)
        .map(|(sync, _, _)| sync.to_owned())
        .collect();
    for sync in &syncs {
        books.remove(Kind::State, sync, stream);
    }
    !syncs.is_empty()
}

/// The streams of the books whose rows are not those that were counted, or whose columns are not all there.
pub(crate) async fn short_streams(
    spreadsheet: &Spreadsheet,
    look: &Look,
) -> Result<BTreeSet<String>, SheetsError> {
    let (mut asked, mut ranges, mut short) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (stream, _, counted) in look.books.of_kind(Kind::Count) {
        let kept = Kept::of(&look.books, stream).unwrap_or_default();
        let tab = look.described.tabs.iter().find(|tab| tab.id == kept.sheet);
        let header = tab.and_then(|tab| look.headers.get(&tab.id));
        let columns = Columns::read(header.map(Vec::as_slice).unwrap_or_default(), &BTreeSet::new());
        let key: Option<Vec<usize>> = kept.key.iter().map(|field| columns.position(field)).collect();
        match (tab, key) {
            (Some(tab), Some(key))
                if tab.rows >= 2 && !key.is_empty() && columns.lost(&kept.columns).is_empty() =>
            {
                ranges.extend(key.iter().map(|position| a1::column(&tab.title, *position)));
                asked.push((stream, key.len(), Count::parse(counted)));
            }
            // Neither the tab nor its columns are there any more.
            _ => {
                short.insert(stream.to_owned());
            }
        }
    }
    let mut read = spreadsheet.values(&ranges, true).await?.into_iter();
    for (stream, columns, counted) in asked {
        let first = |column: Vec<Vec<Value>>| column.into_iter().next().unwrap_or_default();
        let key = read.by_ref().take(columns).map(first).collect();
        let (index, _) = Index::read(&Watched { key, ..Watched::default() });
        if counted != Some(index.count()) {
            short.insert(stream.to_owned());
        }
    }
    Ok(short)
}

fn watched_ranges(tab: &StreamTab) -> Vec<String> {
    // A tab of one row has no second.
    if tab.tab.rows < 2 {
        return Vec::new();
    }
    let positions = tab.layout.watched().into_iter().filter_map(|name| tab.columns.position(name));
    let within = positions.filter(|position| *position < tab.tab.columns);
    within.map(|position| a1::column(&tab.tab.title, position)).collect()
}

fn take_watched(tab: &StreamTab, read: &mut impl Iterator<Item = Vec<Vec<Value>>>) -> Watched {
    let mut found: HashMap<&str, Vec<Value>> = HashMap::new();
    if tab.tab.rows >= 2 {
        for name in tab.layout.watched() {
            if tab.columns.position(name).is_some_and(|position| position < tab.tab.columns) {
                let column =
                    read.next().and_then(|mut columns| (!columns.is_empty()).then(|| columns.swap_remove(0)));
                found.insert(name, column.unwrap_or_default());
            }
        }
    }
    let column = |name: &str| found.get(name).cloned().unwrap_or_default();
    Watched {
        key: tab.layout.key.iter().map(|field| column(field)).collect(),
        version: column(&tab.layout.newer_than),
        parent: column(protocol::PARENT_ID),
        id: column("id"),
        account: column("_account_id"),
    }
}
