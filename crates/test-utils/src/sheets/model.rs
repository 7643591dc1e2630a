//! Spreadsheets in memory.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ApiError;

/// Most characters in a cell.
/// <https://support.google.com/drive/answer/37603>
const CELL_CHARACTERS: usize = 50_000;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// A text, shown as it is.
    Text(String),
    /// A number, with the precision of a double.
    Number(f64),
    /// TRUE or FALSE.
    Bool(bool),
    /// A formula with its `=`; it is not evaluated.
    Formula(String),
}

impl Cell {
    /// What a request writes; `None` leaves the cell as it is.
    pub(super) fn written(value: &Value, raw: bool) -> Result<Option<Cell>, ApiError> {
        Ok(Some(match value {
            Value::Null => return Ok(None),
            Value::Bool(value) => Cell::Bool(*value),
            Value::Number(number) => Cell::Number(number.as_f64().unwrap_or_default()),
            Value::String(text) if text.is_empty() => Cell::Empty,
            Value::String(text) => {
                if text.chars().count() > CELL_CHARACTERS {
                    return Err(ApiError::invalid(
                        "Your input contains more than the maximum of 50000 characters in a single cell.",
                    ));
                }
                if raw { Cell::Text(text.clone()) } else { Cell::typed(text) }
            }
            Value::Array(_) => return Err(ApiError::invalid("Invalid values: list_value")),
            Value::Object(_) => return Err(ApiError::invalid("Invalid values: struct_value")),
        }))
    }

    /// As if a user had typed it.
    fn typed(text: &str) -> Cell {
        match text {
            "TRUE" => Cell::Bool(true),
            "FALSE" => Cell::Bool(false),
            _ if text.starts_with(['=', '+']) && text.len() > 1 => Cell::Formula(text.to_owned()),
            _ => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Cell::Number(number),
                _ => Cell::Text(text.strip_prefix('\'').unwrap_or(text).to_owned()),
            },
        }
    }

    /// As a reader of unformatted values sees it.
    pub fn unformatted(&self) -> Value {
        match self {
            Cell::Empty => json!(""),
            Cell::Text(text) | Cell::Formula(text) => json!(text),
            Cell::Bool(value) => json!(value),
            #[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^53")]
            Cell::Number(number) if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
                json!(*number as i64)
            }
            Cell::Number(number) => json!(number),
        }
    }

    /// As it is shown.
    pub fn shown(&self) -> String {
        match self.unformatted() {
            Value::String(text) => text,
            Value::Bool(value) => value.to_string().to_uppercase(),
            other => other.to_string(),
        }
    }
}

/// One tab.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// Its number, which never changes.
    pub id: i64,
    /// Its name.
    pub title: String,
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// Whether the tab is not shown.
    pub hidden: bool,
    /// Rows that stay when scrolling.
    pub frozen_rows: usize,
    /// Descriptions of its protected ranges.
    pub protections: Vec<String>,
    /// Texts that a column may hold, by its position.
    pub validations: BTreeMap<usize, Vec<String>>,
    /// Whether its owner protected it against everybody else: nobody writes into it.
    pub locked: bool,
    /// Row by row; missing ones are empty.
    pub cells: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The cell at a position.
    pub fn cell(&self, row: usize, column: usize) -> &Cell {
        self.cells.get(row).and_then(|row| row.get(column)).unwrap_or(&Cell::Empty)
    }

    /// Sets a cell within the grid.
    pub fn set(&mut self, row: usize, column: usize, cell: Cell) {
        if self.cells.len() <= row {
            self.cells.resize(row + 1, Vec::new());
        }
        if self.cells[row].len() <= column {
            self.cells[row].resize(column + 1, Cell::Empty);
        }
        self.cells[row][column] = cell;
    }

    /// The texts of the first row up to the last that is not empty.
    pub fn headers(&self) -> Vec<String> {
        let mut headers: Vec<String> = (0..self.columns).map(|column| self.cell(0, column).shown()).collect();
        while headers.last().is_some_and(String::is_empty) {
            headers.pop();
        }
        headers
    }

    /// Rows below the first in which anything is.
    pub fn data(&self) -> impl Iterator<Item = &Vec<Cell>> {
        let rows = self.cells.iter().skip(1);
        rows.filter(|row| row.iter().any(|cell| *cell != Cell::Empty))
    }

    /// Whether anything is in a row.
    pub(super) fn used(&self, row: usize) -> bool {
        self.cells.get(row).is_some_and(|row| row.iter().any(|cell| *cell != Cell::Empty))
    }

    /// What the API says of it; `index` is its position.
    pub(super) fn properties(&self, index: usize) -> Value {
        let mut grid = json!({"rowCount": self.rows, "columnCount": self.columns});
        if self.frozen_rows > 0 {
            grid["frozenRowCount"] = json!(self.frozen_rows);
        }
        let mut properties = json!({
            "sheetId": self.id, "title": self.title, "index": index, "sheetType": "GRID", "gridProperties": grid,
        });
        if self.hidden {
            properties["hidden"] = json!(true);
        }
        properties
    }
}

/// A spreadsheet.
#[derive(Debug, Clone)]
pub struct Spreadsheet {
    /// Its id, as in its address.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Its tabs, from left to right.
    pub sheets: Vec<Sheet>,
    /// Most cells over all tabs; Google's is 10,000,000.
    pub cell_limit: usize,
    /// Whether the caller may change it.
    pub editable: bool,
}

impl Spreadsheet {
    /// A new one with an empty `Sheet1` of 1000 × 26.
    pub(super) fn new(id: String, title: String) -> Spreadsheet {
        let sheet = Sheet { title: "Sheet1".to_owned(), rows: 1000, columns: 26, ..Sheet::default() };
        Spreadsheet { id, title, sheets: vec![sheet], cell_limit: 10_000_000, editable: true }
    }

    /// The tab of this name.
    pub fn sheet(&self, title: &str) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.title == title)
    }

    /// The tab of this name, to be edited as a user would.
    pub fn sheet_mut(&mut self, title: &str) -> Option<&mut Sheet> {
        self.sheets.iter_mut().find(|sheet| sheet.title == title)
    }

    /// Cells of all grids.
    pub fn cells(&self) -> usize {
        self.sheets.iter().map(|sheet| sheet.rows * sheet.columns).sum()
    }

    pub(super) fn check_limit(&self) -> Result<(), ApiError> {
        if self.cells() > self.cell_limit {
            return Err(ApiError::invalid(format!(
                "Invalid requests: This action would increase the number of cells in the workbook above the limit of {} cells.",
                self.cell_limit
            )));
        }
        Ok(())
    }

    /// What the API says of it.
    pub(super) fn described(&self) -> Value {
        let sheets: Vec<Value> = self
            .sheets
            .iter()
            .enumerate()
            .map(|(index, sheet)| {
                let mut described = json!({"properties": sheet.properties(index)});
                if !sheet.protections.is_empty() {
                    let protections = sheet.protections.iter().zip(1..).map(|(description, id)| {
                        json!({"protectedRangeId": id, "range": {"sheetId": sheet.id}, "description": description, "warningOnly": true})
                    });
                    described["protectedRanges"] = protections.collect();
                }
                described
            })
            .collect();
        json!({
            "spreadsheetId": self.id,
            "properties": {"title": self.title, "locale": "en_US", "timeZone": "Etc/GMT"},
            "sheets": sheets,
            "spreadsheetUrl": format!("https://docs.google.com/spreadsheets/d/{}/edit", self.id),
        })
    }
}
