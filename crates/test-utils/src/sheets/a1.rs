//! Ranges in A1 notation, as the API takes them.

use super::error::ApiError;
use super::model::{Sheet, Spreadsheet};

/// A rectangle of one sheet, zero-based, ends exclusive, within the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    /// Position of the sheet.
    pub(super) sheet: usize,
    pub(super) rows: (usize, usize),
    pub(super) columns: (usize, usize),
    /// Whether only the upper left cell was named.
    pub(super) one_cell: bool,
}

/// The letters of a zero-based column.
pub fn letters(mut column: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(b'A' + u8::try_from(column % 26).unwrap_or_default());
        if column < 26 {
            break;
        }
        column = column / 26 - 1;
    }
    out.reverse();
    out.into_iter().map(char::from).collect()
}

/// The name as it stands before the `!`.
pub(super) fn quoted(title: &str) -> String {
    format!("'{}'", title.replace('\'', "''"))
}

impl Area {
    /// Reads `'Title'!A1:B2`, `Title!A:C`, `Title!2:2`, `Title!A2:A` or a title alone.
    pub(super) fn parse(text: &str, spreadsheet: &Spreadsheet) -> Result<Area, ApiError> {
        let unparsable = || ApiError::invalid(format!("Unable to parse range: {text}"));
        let (title, cells) = split(text).ok_or_else(unparsable)?;
        let found = spreadsheet.sheets.iter().position(|sheet| sheet.title == title);
        let sheet = found.ok_or_else(unparsable)?;
        let grid = &spreadsheet.sheets[sheet];
        let whole = Area { sheet, rows: (0, grid.rows), columns: (0, grid.columns), one_cell: false };
        let Some(cells) = cells else { return Ok(whole) };
        let (from, to) = cells.split_once(':').map_or((cells, None), |(from, to)| (from, Some(to)));
        let (from_column, from_row) = corner(from).ok_or_else(unparsable)?;
        let area = match to {
            None => {
                let (Some(column), Some(row)) = (from_column, from_row) else { return Err(unparsable()) };
                Area { rows: (row, row + 1), columns: (column, column + 1), one_cell: true, ..whole }
            }
            Some(to) => {
                let (to_column, to_row) = corner(to).ok_or_else(unparsable)?;
                Area {
                    rows: (from_row.unwrap_or(0), to_row.map_or(grid.rows, |row| row + 1)),
                    columns: (from_column.unwrap_or(0), to_column.map_or(grid.columns, |column| column + 1)),
                    ..whole
                }
            }
        };
        area.within(grid, text)
    }

    fn within(self, grid: &Sheet, text: &str) -> Result<Area, ApiError> {
        let outside = self.rows.1 > grid.rows
            || self.columns.1 > grid.columns
            || self.rows.0 >= self.rows.1
            || self.columns.0 >= self.columns.1;
        if outside {
            return Err(ApiError::invalid(format!(
                "Range ({text}) exceeds grid limits. Max rows: {}, max columns: {}",
                grid.rows, grid.columns
            )));
        }
        Ok(self)
    }

    /// As the API writes it in answers.
    pub(super) fn text(&self, spreadsheet: &Spreadsheet) -> String {
        let title = quoted(&spreadsheet.sheets[self.sheet].title);
        let from = format!("{}{}", letters(self.columns.0), self.rows.0 + 1);
        if self.rows.1 == self.rows.0 + 1 && self.columns.1 == self.columns.0 + 1 {
            return format!("{title}!{from}");
        }
        format!("{title}!{from}:{}{}", letters(self.columns.1 - 1), self.rows.1)
    }
}

/// Title and cells.
fn split(text: &str) -> Option<(String, Option<&str>)> {
    let Some(rest) = text.strip_prefix('\'') else {
        return Some(match text.split_once('!') {
            Some((title, cells)) => (title.to_owned(), Some(cells)),
            None => (text.to_owned(), None),
        });
    };
    let mut title = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            title.push(c);
            continue;
        }
        let after = &rest[at + 1..];
        if after.starts_with('\'') {
            title.push('\'');
            chars.next();
        } else if after.is_empty() {
            return Some((title, None));
        } else {
            return after.strip_prefix('!').map(|cells| (title, Some(cells)));
        }
    }
    None
}

/// Column and row of `B7`, `B` or `7`, zero-based.
fn corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (letters, digits) = text.split_at(digits);
    let mut column = 0;
    for c in letters.bytes() {
        column = column * 26 + usize::from(c.is_ascii_uppercase().then_some(c - b'A')?) + 1;
    }
    let row = if digits.is_empty() { None } else { Some(digits.parse::<usize>().ok()?.checked_sub(1)?) };
    let column = column.checked_sub(1);
    (column.is_some() || row.is_some()).then_some((column, row))
}
