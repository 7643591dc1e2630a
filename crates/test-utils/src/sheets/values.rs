//! Reading and writing values.

use serde::Deserialize;
use serde_json::{Value, json};

use super::a1::Area;
use super::error::ApiError;
use super::model::{Cell, Spreadsheet};
use super::requests::read;

/// Parameters of a query, of which the handler takes what it knows; what is left is a mistake.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Query {
        let url = url::form_urlencoded::parse(text.as_bytes());
        Query(url.into_owned().collect())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn finish(&self) -> Result<(), ApiError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::invalid(format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."
            ))),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ValueRange {
    range: Option<String>,
    major_dimension: Option<String>,
    values: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BatchBody {
    value_input_option: String,
    data: Vec<ValueRange>,
}

/// How values are read.
struct Rendering {
    columns_first: bool,
    render: fn(&Cell) -> Value,
}

impl Rendering {
    fn take(query: &mut Query) -> Result<Rendering, ApiError> {
        let columns_first = by_columns(query.take("majorDimension").as_deref())?;
        let render: fn(&Cell) -> Value = match query.take("valueRenderOption").as_deref() {
            None | Some("FORMATTED_VALUE") => |cell| json!(cell.shown()),
            Some("UNFORMATTED_VALUE" | "FORMULA") => Cell::unformatted,
            Some(other) => return Err(ApiError::invalid(format!("Invalid valueRenderOption: {other}"))),
        };
        Ok(Rendering { columns_first, render })
    }

    /// Without the empty ends of lines and the empty lines at the end, as the API leaves them out.
    fn read(&self, spreadsheet: &Spreadsheet, area: &Area) -> Value {
        let sheet = &spreadsheet.sheets[area.sheet];
        let (outer, inner) =
            if self.columns_first { (area.columns, area.rows) } else { (area.rows, area.columns) };
        let inner_end =
            if self.columns_first { inner.1.min(sheet.cells.len().max(inner.0)) } else { inner.1 };
        let outer_end =
            if self.columns_first { outer.1 } else { outer.1.min(sheet.cells.len().max(outer.0)) };
        let mut lines: Vec<Value> = Vec::new();
        let mut used = 0;
        for line in outer.0..outer_end {
            let cell = |at: usize| {
                if self.columns_first { sheet.cell(at, line) } else { sheet.cell(line, at) }
            };
            let end =
                (inner.0..inner_end).rev().find(|at| *cell(*at) != Cell::Empty).map_or(inner.0, |at| at + 1);
            lines.push((inner.0..end).map(|at| (self.render)(cell(at))).collect());
            if end > inner.0 {
                used = lines.len();
            }
        }
        lines.truncate(used);
        let dimension = if self.columns_first { "COLUMNS" } else { "ROWS" };
        let mut answer = json!({"range": area.text(spreadsheet), "majorDimension": dimension});
        if !lines.is_empty() {
            answer["values"] = Value::Array(lines);
        }
        answer
    }
}

fn by_columns(dimension: Option<&str>) -> Result<bool, ApiError> {
    match dimension {
        None | Some("ROWS") => Ok(false),
        Some("COLUMNS") => Ok(true),
        Some(other) => Err(ApiError::invalid(format!("Invalid majorDimension: {other}"))),
    }
}

/// `values.get`.
pub(super) fn get(spreadsheet: &Spreadsheet, range: &str, query: &mut Query) -> Result<Value, ApiError> {
    let rendering = Rendering::take(query)?;
    query.finish()?;
    Ok(rendering.read(spreadsheet, &Area::parse(range, spreadsheet)?))
}

/// `values.batchGet`.
pub(super) fn batch_get(spreadsheet: &Spreadsheet, query: &mut Query) -> Result<Value, ApiError> {
    let rendering = Rendering::take(query)?;
    let mut ranges = Vec::new();
    while let Some(range) = query.take("ranges") {
        let area = Area::parse(&range, spreadsheet)?;
        ranges.push(rendering.read(spreadsheet, &area));
    }
    query.finish()?;
    Ok(json!({"spreadsheetId": spreadsheet.id, "valueRanges": ranges}))
}

fn is_raw(option: Option<&str>) -> Result<bool, ApiError> {
    match option {
        Some("RAW") => Ok(true),
        Some("USER_ENTERED") => Ok(false),
        Some(other) => Err(ApiError::invalid(format!("Invalid valueInputOption: {other}"))),
        None => Err(ApiError::invalid("'valueInputOption' is required but not specified")),
    }
}

/// Cells to be set, all of them checked.
struct Writes {
    cells: Vec<(usize, usize, usize, Cell)>,
    area: Area,
    rows: usize,
    columns: usize,
}

fn plan(spreadsheet: &Spreadsheet, area: Area, data: &ValueRange, raw: bool) -> Result<Writes, ApiError> {
    let columns_first = by_columns(data.major_dimension.as_deref())?;
    let grid = &spreadsheet.sheets[area.sheet];
    if grid.locked {
        return Err(ApiError::protected());
    }
    let (mut cells, mut rows, mut columns) = (Vec::new(), 0, 0);
    for (outer, line) in data.values.iter().enumerate() {
        for (inner, value) in line.iter().enumerate() {
            let (row, column) = if columns_first { (inner, outer) } else { (outer, inner) };
            (rows, columns) = (rows.max(row + 1), columns.max(column + 1));
            let (row, column) = (area.rows.0 + row, area.columns.0 + column);
            let outside = if area.one_cell {
                row >= grid.rows || column >= grid.columns
            } else {
                row >= area.rows.1 || column >= area.columns.1
            };
            if outside {
                let place = if row >= area.rows.1 {
                    format!("row [{}]", row + 1)
                } else {
                    format!("column [{}]", super::a1::letters(column))
                };
                return Err(ApiError::invalid(format!(
                    "Requested writing within range [{}], but tried writing to {place}",
                    area.text(spreadsheet)
                )));
            }
            if let Some(cell) = Cell::written(value, raw)? {
                cells.push((area.sheet, row, column, cell));
            }
        }
    }
    Ok(Writes { cells, area, rows, columns })
}

impl Writes {
    fn apply(self, spreadsheet: &mut Spreadsheet) -> Value {
        let count = self.cells.len();
        for (sheet, row, column, cell) in self.cells {
            spreadsheet.sheets[sheet].set(row, column, cell);
        }
        json!({
            "spreadsheetId": spreadsheet.id,
            "updatedRange": self.area.text(spreadsheet),
            "updatedRows": self.rows,
            "updatedColumns": self.columns,
            "updatedCells": count,
        })
    }
}

/// `values.update`.
pub(super) fn update(
    spreadsheet: &mut Spreadsheet,
    range: &str,
    query: &mut Query,
    body: &[u8],
) -> Result<Value, ApiError> {
    let raw = is_raw(query.take("valueInputOption").as_deref())?;
    query.finish()?;
    let data: ValueRange = read(body)?;
    if data.range.as_deref().is_some_and(|named| named != range) {
        return Err(ApiError::invalid("The range in the body is not the one in the address."));
    }
    let area = Area::parse(range, spreadsheet)?;
    Ok(plan(spreadsheet, area, &data, raw)?.apply(spreadsheet))
}

/// `values.batchUpdate`.
pub(super) fn batch_update(
    spreadsheet: &mut Spreadsheet,
    query: &Query,
    body: &[u8],
) -> Result<Value, ApiError> {
    query.finish()?;
    let body: BatchBody = read(body)?;
    let raw = is_raw(Some(&body.value_input_option))?;
    let planned: Vec<Writes> = body
        .data
        .iter()
        .map(|data| {
            let range = data.range.as_deref().ok_or_else(|| ApiError::invalid("A range is missing."))?;
            plan(spreadsheet, Area::parse(range, spreadsheet)?, data, raw)
        })
        .collect::<Result<_, _>>()?;
    let responses: Vec<Value> = planned.into_iter().map(|writes| writes.apply(spreadsheet)).collect();
    Ok(json!({"spreadsheetId": spreadsheet.id, "responses": responses}))
}

/// `values.append`: below the last row of the sheet that holds anything; the grid grows.
pub(super) fn append(
    spreadsheet: &mut Spreadsheet,
    range: &str,
    query: &mut Query,
    body: &[u8],
) -> Result<Value, ApiError> {
    let raw = is_raw(query.take("valueInputOption").as_deref())?;
    match query.take("insertDataOption").as_deref() {
        None | Some("OVERWRITE" | "INSERT_ROWS") => {}
        Some(other) => return Err(ApiError::invalid(format!("Invalid insertDataOption: {other}"))),
    }
    query.finish()?;
    let data: ValueRange = read(body)?;
    let mut area = Area::parse(range, spreadsheet)?;
    let mut next = spreadsheet.clone();
    let sheet = &mut next.sheets[area.sheet];
    let end = (0..sheet.cells.len()).rev().find(|row| sheet.used(*row)).map_or(0, |row| row + 1);
    sheet.rows = sheet.rows.max(end + data.values.len());
    next.check_limit()?;
    area = Area { rows: (end, end + data.values.len().max(1)), one_cell: true, ..area };
    let updates = plan(&next, area, &data, raw)?.apply(&mut next);
    *spreadsheet = next;
    Ok(json!({"spreadsheetId": spreadsheet.id, "updates": updates}))
}

/// `values.clear`.
pub(super) fn clear(spreadsheet: &mut Spreadsheet, range: &str, query: &Query) -> Result<Value, ApiError> {
    query.finish()?;
    let area = Area::parse(range, spreadsheet)?;
    let cleared = area.text(spreadsheet);
    let sheet = &mut spreadsheet.sheets[area.sheet];
    for row in sheet.cells.iter_mut().take(area.rows.1).skip(area.rows.0) {
        for cell in row.iter_mut().take(area.columns.1).skip(area.columns.0) {
            *cell = Cell::Empty;
        }
    }
    Ok(json!({"spreadsheetId": spreadsheet.id, "clearedRange": cleared}))
}
