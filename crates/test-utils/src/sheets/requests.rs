//! The requests of `spreadsheets.batchUpdate` that are understood.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::model::{Sheet, Spreadsheet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    requests: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum Request {
    UpdateSpreadsheetProperties {
        properties: Title,
        fields: String,
    },
    AddSheet {
        properties: Properties,
    },
    DeleteSheet {
        #[serde(rename = "sheetId")]
        sheet_id: i64,
    },
    UpdateSheetProperties {
        properties: Properties,
        fields: String,
    },
    AppendDimension {
        #[serde(rename = "sheetId")]
        sheet_id: i64,
        dimension: Dimension,
        length: usize,
    },
    AddProtectedRange {
        #[serde(rename = "protectedRange")]
        protected_range: ProtectedRange,
    },
    SetDataValidation {
        range: GridRange,
        rule: Option<Rule>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Properties {
    sheet_id: Option<i64>,
    title: Option<String>,
    index: Option<usize>,
    hidden: Option<bool>,
    grid_properties: Option<Grid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Grid {
    row_count: Option<usize>,
    column_count: Option<usize>,
    frozen_row_count: Option<usize>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum Dimension {
    Rows,
    Columns,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProtectedRange {
    range: GridRange,
    description: String,
    warning_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GridRange {
    sheet_id: i64,
    start_row_index: Option<usize>,
    end_row_index: Option<usize>,
    start_column_index: Option<usize>,
    end_column_index: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    condition: Condition,
    strict: bool,
    show_custom_ui: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    r#type: String,
    values: Vec<ConditionValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConditionValue {
    user_entered_value: String,
}

/// Applies all requests or none.
pub(super) fn batch_update(spreadsheet: &mut Spreadsheet, body: &[u8]) -> Result<Value, ApiError> {
    let body: Body = read(body)?;
    if body.requests.is_empty() {
        return Err(ApiError::invalid("Must specify at least one request."));
    }
    let mut next = spreadsheet.clone();
    let mut replies = Vec::new();
    for (at, request) in body.requests.into_iter().enumerate() {
        let reply = apply(&mut next, request).and_then(|reply| next.check_limit().map(|()| reply));
        replies.push(reply.map_err(|error| error.at_request(at))?);
    }
    *spreadsheet = next;
    Ok(json!({"spreadsheetId": spreadsheet.id, "replies": replies}))
}

/// A body, in which nothing may be that the API does not know.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))
}

fn apply(spreadsheet: &mut Spreadsheet, request: Request) -> Result<Value, ApiError> {
    match request {
        Request::UpdateSpreadsheetProperties { properties, fields } => {
            if fields != "title" {
                return Err(ApiError::invalid(format!("Invalid fields: {fields}")));
            }
            spreadsheet.title = properties.title;
        }
        Request::AddSheet { properties } => return add_sheet(spreadsheet, properties),
        Request::DeleteSheet { sheet_id } => {
            let at = position(spreadsheet, sheet_id)?;
            if spreadsheet.sheets.iter().enumerate().all(|(other, sheet)| other == at || sheet.hidden) {
                return Err(ApiError::invalid("You can't remove all the visible sheets in a document."));
            }
            spreadsheet.sheets.remove(at);
        }
        Request::UpdateSheetProperties { properties, fields } => {
            update_sheet(spreadsheet, &properties, &fields)?;
        }
        Request::AppendDimension { sheet_id, dimension, length } => {
            let sheet = sheet_mut(spreadsheet, sheet_id)?;
            if dimension == Dimension::Rows {
                sheet.rows += length;
            } else {
                sheet.columns += length;
            }
        }
        Request::AddProtectedRange { protected_range } => {
            let ProtectedRange { range, description, warning_only } = protected_range;
            if !warning_only {
                return Err(ApiError::invalid("Only warnings are understood here."));
            }
            sheet_mut(spreadsheet, range.sheet_id)?.protections.push(description);
        }
        Request::SetDataValidation { range, rule } => {
            let sheet = sheet_mut(spreadsheet, range.sheet_id)?;
            let from = range.start_column_index.unwrap_or(0);
            let to = range.end_column_index.unwrap_or(sheet.columns);
            let rows = (range.start_row_index.unwrap_or(0), range.end_row_index.unwrap_or(sheet.rows));
            if to > sheet.columns || from >= to || rows.1 > sheet.rows || rows.0 >= rows.1 {
                return Err(ApiError::invalid("The range is outside of the grid."));
            }
            for column in from..to {
                match &rule {
                    None => {
                        sheet.validations.remove(&column);
                    }
                    Some(Rule { condition, strict, show_custom_ui }) => {
                        if !strict || !show_custom_ui {
                            return Err(ApiError::invalid(
                                "Only strict lists that are shown are understood here.",
                            ));
                        }
                        if condition.r#type != "ONE_OF_LIST" || condition.values.is_empty() {
                            return Err(ApiError::invalid("Invalid condition."));
                        }
                        let values = condition.values.iter().map(|value| value.user_entered_value.clone());
                        sheet.validations.insert(column, values.collect());
                    }
                }
            }
        }
    }
    Ok(json!({}))
}

fn add_sheet(spreadsheet: &mut Spreadsheet, properties: Properties) -> Result<Value, ApiError> {
    let free = || (1..).find(|id| spreadsheet.sheets.iter().all(|sheet| sheet.id != *id));
    let id = properties.sheet_id.or_else(free).unwrap_or_default();
    if id < 0 || spreadsheet.sheets.iter().any(|sheet| sheet.id == id) {
        return Err(ApiError::invalid(format!("A sheet with the ID {id} already exists.")));
    }
    let title = properties.title.unwrap_or_else(|| format!("Sheet{}", spreadsheet.sheets.len() + 1));
    check_title(spreadsheet, &title, id)?;
    let grid = properties.grid_properties;
    let grid = grid.unwrap_or(Grid { row_count: None, column_count: None, frozen_row_count: None });
    let sheet = Sheet {
        id,
        title,
        rows: grid.row_count.unwrap_or(1000),
        columns: grid.column_count.unwrap_or(26),
        hidden: properties.hidden.unwrap_or_default(),
        frozen_rows: grid.frozen_row_count.unwrap_or_default(),
        ..Sheet::default()
    };
    check_grid(&sheet)?;
    let index = properties.index.unwrap_or(spreadsheet.sheets.len()).min(spreadsheet.sheets.len());
    let reply = json!({"addSheet": {"properties": sheet.properties(index)}});
    spreadsheet.sheets.insert(index, sheet);
    Ok(reply)
}

fn update_sheet(
    spreadsheet: &mut Spreadsheet,
    properties: &Properties,
    fields: &str,
) -> Result<(), ApiError> {
    let id = properties.sheet_id.unwrap_or_default();
    let at = position(spreadsheet, id)?;
    let missing = |field: &str| ApiError::invalid(format!("Field {field} is in the mask but not set."));
    for field in fields.split(',') {
        let grid = properties.grid_properties.as_ref();
        match field {
            "title" => {
                let title = properties.title.clone().ok_or_else(|| missing(field))?;
                check_title(spreadsheet, &title, id)?;
                spreadsheet.sheets[at].title = title;
            }
            "hidden" => spreadsheet.sheets[at].hidden = properties.hidden.unwrap_or_default(),
            "gridProperties.rowCount" => {
                let rows = grid.and_then(|grid| grid.row_count).ok_or_else(|| missing(field))?;
                spreadsheet.sheets[at].rows = rows;
                spreadsheet.sheets[at].cells.truncate(rows);
            }
            "gridProperties.columnCount" => {
                let columns = grid.and_then(|grid| grid.column_count).ok_or_else(|| missing(field))?;
                spreadsheet.sheets[at].columns = columns;
                for row in &mut spreadsheet.sheets[at].cells {
                    row.truncate(columns);
                }
            }
            "gridProperties.frozenRowCount" => {
                let frozen = grid.and_then(|grid| grid.frozen_row_count);
                spreadsheet.sheets[at].frozen_rows = frozen.ok_or_else(|| missing(field))?;
            }
            _ => return Err(ApiError::invalid(format!("Invalid field: {field}"))),
        }
    }
    check_grid(&spreadsheet.sheets[at])
}

fn check_grid(sheet: &Sheet) -> Result<(), ApiError> {
    if sheet.rows == 0 || sheet.columns == 0 || sheet.columns > 18_278 || sheet.frozen_rows >= sheet.rows {
        return Err(ApiError::invalid("Invalid grid properties."));
    }
    Ok(())
}

/// Names are told apart without regard to case.
fn check_title(spreadsheet: &Spreadsheet, title: &str, id: i64) -> Result<(), ApiError> {
    let taken = |sheet: &Sheet| sheet.id != id && sheet.title.to_lowercase() == title.to_lowercase();
    if spreadsheet.sheets.iter().any(taken) {
        return Err(ApiError::invalid(format!(
            "A sheet with the name \"{title}\" already exists. Please enter another name."
        )));
    }
    if title.is_empty() || title.chars().count() > 100 {
        return Err(ApiError::invalid("The sheet name must have 1 to 100 characters."));
    }
    Ok(())
}

fn position(spreadsheet: &Spreadsheet, id: i64) -> Result<usize, ApiError> {
    let found = spreadsheet.sheets.iter().position(|sheet| sheet.id == id);
    found.ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))
}

fn sheet_mut(spreadsheet: &mut Spreadsheet, id: i64) -> Result<&mut Sheet, ApiError> {
    let at = position(spreadsheet, id)?;
    Ok(&mut spreadsheet.sheets[at])
}
