//! Making the grids of tabs large enough, within what a spreadsheet can hold.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Tab;
use crate::books;
use crate::client::Failure;
use crate::error::{SPREADSHEET_CELLS, SheetsError};
use crate::workbook::Workbook;

/// How often a growth is tried of which nobody knows whether it was done.
const ROUNDS: usize = 4;
/// Spare rows that a tab grows by, so that it seldom has to: as many as it has, at least and at most.
const SPARE: (usize, usize) = (500, 20_000);

/// The grid that a tab needs.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// For whom, as errors say it.
    pub(crate) stream: Arc<str>,
    /// The tab's number.
    pub(crate) sheet: i64,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The requests that make room, changing `tabs` as they will be, and for each need whether there is room.
fn requests(tabs: &mut [Tab], needs: &[Need], most: usize) -> (Vec<Value>, Vec<Result<(), SheetsError>>) {
    let mut requests = Vec::new();
    let mut answers = Vec::new();
    for need in needs {
        let total: usize = tabs.iter().map(|tab| tab.rows * tab.columns).sum();
        let Some(tab) = tabs.iter_mut().find(|tab| tab.id == need.sheet) else {
            let text = format!(
                "the tab of stream `{}` was deleted while it was written; run the sync again",
                need.stream
            );
            answers.push(Err(SheetsError::Config(text)));
            continue;
        };
        let others = total - tab.rows * tab.columns;
        let (columns, exact) = (tab.columns.max(need.columns), tab.rows.max(need.rows));
        let spare =
            if need.rows > tab.rows { need.rows + need.rows.clamp(SPARE.0, SPARE.1) } else { tab.rows };
        let rows = if others + spare * columns <= most { spare } else { exact };
        let cells = others + rows * columns;
        if cells > most && (rows, columns) != (tab.rows, tab.columns) {
            answers.push(Err(SheetsError::Full { stream: need.stream.to_string(), cells }));
            continue;
        }
        for (dimension, more) in [("COLUMNS", columns - tab.columns), ("ROWS", rows - tab.rows)] {
            if more > 0 {
                requests.push(
                    json!({"appendDimension": {"sheetId": tab.id, "dimension": dimension, "length": more}}),
                );
            }
        }
        (tab.rows, tab.columns) = (rows, columns);
        answers.push(Ok(()));
    }
    (requests, answers)
}

impl Workbook {
    /// Makes the grids large enough; nothing where there is room. Answers for each need whether there is.
    pub(crate) async fn grow(&mut self, needs: &[Need]) -> Result<Vec<Result<(), SheetsError>>, SheetsError> {
        let mut last = None;
        for _ in 0..ROUNDS {
            let mut tabs = self.described.tabs.clone();
            let (requests, answers) = requests(&mut tabs, needs, SPREADSHEET_CELLS);
            if requests.is_empty() {
                return Ok(answers);
            }
            match self.spreadsheet.change(&requests).await {
                Ok(()) => {
                    self.described.tabs = tabs;
                    self.take_grids();
                    return Ok(answers);
                }
                Err(Failure::Refused(SheetsError::Refused { said, .. }))
                    if said.contains("above the limit") =>
                {
                    // Others have made tabs larger meanwhile.
                    let cells = tabs
                        .iter()
                        .map(|tab| tab.rows * tab.columns)
                        .sum::<usize>()
                        .max(SPREADSHEET_CELLS + 1);
                    let full =
                        |need: &Need| Err(SheetsError::Full { stream: need.stream.to_string(), cells });
                    return Ok(needs.iter().map(full).collect());
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lost(error)) => {
                    last = Some(error);
                    self.described = self.spreadsheet.describe().await?;
                    self.take_grids();
                }
            }
        }
        Err(last.unwrap_or_else(|| SheetsError::Internal("the tabs cannot be made larger".to_owned())))
    }

    /// Makes the hidden tab large enough.
    pub(crate) async fn grow_books(&mut self, rows: usize, columns: usize) -> Result<(), SheetsError> {
        let tab = self.described.tabs.iter().find(|tab| tab.title == books::TITLE);
        let Some(sheet) = tab.map(|tab| tab.id) else {
            return Err(SheetsError::Internal(format!("the tab {} is missing", books::TITLE)));
        };
        let need = Need { stream: books::TITLE.into(), sheet, rows, columns };
        self.grow(&[need]).await?.into_iter().collect()
    }

    /// The streams see what their tabs are now.
    pub(crate) fn take_grids(&mut self) {
        for stream in self.streams.values_mut() {
            if let Some(tab) = self.described.tabs.iter().find(|tab| tab.id == stream.tab.id) {
                stream.tab = tab.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tab(id: i64, rows: usize, columns: usize) -> Tab {
        Tab { id, title: id.to_string(), rows, columns, frozen: 1, protected: true }
    }

    fn need(sheet: i64, rows: usize, columns: usize) -> Need {
        Need { stream: "a".into(), sheet, rows, columns }
    }

    #[test]
    fn tabs_grow_in_large_steps_where_there_is_room_for_them() {
        let mut tabs = [tab(1, 100, 10), tab(2, 100, 10)];
        let (made, answers) = requests(&mut tabs, &[need(1, 101, 12), need(2, 100, 10)], 100_000);
        assert_eq!(made.len(), 2);
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!((tabs[0].rows, tabs[0].columns), (601, 12));
        // No room for more than is needed, and then not even for that.
        let mut tabs = [tab(1, 100, 10), tab(2, 100, 10)];
        let (made, answers) = requests(&mut tabs, &[need(1, 110, 10), need(2, 101, 10)], 2100);
        assert_eq!((made.len(), tabs[0].rows, tabs[1].rows), (1, 110, 100));
        assert!(answers[0].is_ok());
        assert!(matches!(answers[1], Err(SheetsError::Full { cells: 2110, .. })));
    }
}
