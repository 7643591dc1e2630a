//! The tab that explains the others to people.

use protocol::Timestamp;
use serde_json::{Value, json};

use crate::a1;
use crate::api::Tab;
use crate::books::Kind;
use crate::client::Failure;
use crate::error::SheetsError;
use crate::grow::Need;
use crate::layout::SYNCED_AT;
use crate::ranges;
use crate::tabs::{Kept, OVERVIEW};
use crate::workbook::Workbook;

/// Its first cell, also as the TypeScript engine writes it.
pub(crate) const HEADING: &str = "Stripe Sync Engine";
/// Columns of the tab.
const COLUMNS: usize = 5;
/// Empty rows below what is written.
const SPARE: usize = 20;
/// How often the tab is made until it is there.
const ROUNDS: usize = 3;

/// A stream's line: its name, its tab, and the columns of its key and of the time of writing.
struct Line {
    stream: String,
    tab: String,
    key: usize,
    synced_at: Option<usize>,
}

/// The rows of the tab. Texts and formulas as a user would type them.
fn rows(lines: &[Line], now: Timestamp) -> Vec<Vec<Value>> {
    let text = |text: &str| vec![json!(text)];
    let mut rows = vec![
        text(HEADING),
        text(""),
        text("This spreadsheet is managed by Stripe Sync Engine."),
        text("Data is synced automatically from your Stripe account."),
        text(""),
        ["Synced streams:", "", "Unique rows", "Duplicate rows", "Last written"].map(Value::from).to_vec(),
    ];
    for Line { stream, tab, key, synced_at } in lines {
        let keys = a1::column(tab, *key);
        // The newest of texts that sort as the times do.
        let newest = synced_at.map_or(String::new(), |at| {
            format!("=IFERROR(INDEX(SORT({},1,FALSE),1),\"\")", a1::column(tab, at))
        });
        rows.push(vec![
            json!(format!("  • {stream}")),
            json!(""),
            json!(format!("=COUNTUNIQUE({keys})")),
            json!(format!("=COUNTA({keys})-COUNTUNIQUE({keys})")),
            json!(newest),
        ]);
    }
    rows.extend([
        text(""),
        text(&format!("Last setup: {now}")),
        text(""),
        text("Rows may be sorted, and columns of your own added. Other edits are overwritten by the next sync."),
    ]);
    rows
}

impl Workbook {
    /// Makes the tab where it is missing, and writes it.
    pub(crate) async fn write_overview(&mut self) -> Result<(), SheetsError> {
        let id = self.overview_tab().await?;
        let mut lines = Vec::new();
        for (stream, _, _) in self.books.of_kind(Kind::Stream) {
            let Some(kept) = Kept::of(&self.books, stream) else { continue };
            let Some(tab) = self.described.tabs.iter().find(|tab| tab.id == kept.sheet) else { continue };
            let written = self.streams.get(stream);
            let key = written.and_then(|written| written.columns.position(written.layout.key.first()?));
            lines.push(Line {
                stream: stream.to_owned(),
                tab: tab.title.clone(),
                key: key.unwrap_or_default(),
                synced_at: written.and_then(|written| written.columns.position(SYNCED_AT)),
            });
        }
        let mut rows = rows(&lines, Timestamp::now());
        let need = Need { stream: OVERVIEW.into(), sheet: id, rows: rows.len(), columns: COLUMNS };
        self.grow(&[need]).await?.into_iter().collect::<Result<Vec<()>, _>>()?;
        let Some(tab) = self.described.tabs.iter().find(|tab| tab.id == id) else { return Ok(()) };
        // What was longer before is emptied.
        let empty = vec![json!(""); COLUMNS];
        rows.resize(tab.rows.min(rows.len() + SPARE), empty);
        let range = a1::rows(&tab.title, 1, rows.len(), COLUMNS);
        let values: Vec<String> = rows.into_iter().map(|row| Value::from(row).to_string()).collect();
        self.spreadsheet.write(ranges::range(&range, &values.join(",")).as_bytes(), true).await
    }

    /// The number of the tab; an `Overview` that is someone else's is left alone.
    async fn overview_tab(&mut self) -> Result<i64, SheetsError> {
        let known = self.books.get(Kind::Overview, "", "").and_then(|id| id.parse::<i64>().ok());
        for _ in 0..ROUNDS {
            let tabs = &self.described.tabs;
            let ours = tabs.iter().find(|tab| Some(tab.id) == known || self.overview == Some(tab.id));
            if let Some(tab) = ours {
                let id = tab.id;
                self.books.set(Kind::Overview, "", "", &id.to_string());
                self.write(Vec::new()).await?;
                return Ok(id);
            }
            let taken = |title: &str| tabs.iter().any(|tab| tab.title.eq_ignore_ascii_case(title));
            let title = if taken(OVERVIEW) { format!("{OVERVIEW} of the sync") } else { OVERVIEW.to_owned() };
            let id = (1..).find(|id| tabs.iter().all(|tab| tab.id != *id)).unwrap_or_default();
            let rows = self.streams.len() + 2 * SPARE;
            let request = json!({"addSheet": {"properties": {
                "sheetId": id, "title": title, "index": 0, "gridProperties": {"rowCount": rows, "columnCount": COLUMNS},
            }}});
            match self.spreadsheet.change(&[request]).await {
                Ok(()) => {
                    let tab = Tab { id, title, rows, columns: COLUMNS, frozen: 0, protected: false };
                    self.described.tabs.insert(0, tab);
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lost(_)) => {
                    self.described = self.spreadsheet.describe().await?;
                    self.take_grids();
                }
            }
            self.overview = Some(id);
        }
        Err(SheetsError::Internal(format!("the tab {OVERVIEW} cannot be made")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_by_formulas() {
        let line =
            Line { stream: "o'clock".to_owned(), tab: "o'clock".to_owned(), key: 2, synced_at: Some(0) };
        let rows = rows(&[line], Timestamp::from_unix_seconds(0));
        assert_eq!(rows[6][2], "=COUNTUNIQUE('o''clock'!C2:C)");
        assert_eq!(rows[6][3], "=COUNTA('o''clock'!C2:C)-COUNTUNIQUE('o''clock'!C2:C)");
        assert_eq!(rows[6][4], "=IFERROR(INDEX(SORT('o''clock'!A2:A,1,FALSE),1),\"\")");
        assert!(rows[8][0].as_str().is_some_and(|text| text.starts_with("Last setup: 1970-01-01T00:00:00")));
    }
}
