//! The calls of the Sheets and Drive APIs that are used, and what they answer.

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Again, Client, Failure};
use crate::error::SheetsError;

/// Most characters of the ranges of one request that reads: they stand in its address.
const ADDRESS: usize = 6000;

/// A tab, as the API describes it.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) frozen: usize,
    /// Whether anything on it is protected.
    pub(crate) protected: bool,
}

/// A spreadsheet, as the API describes it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) title: String,
    pub(crate) tabs: Vec<Tab>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    spreadsheet_id: String,
    #[serde(default)]
    properties: WireTitle,
    #[serde(default)]
    sheets: Vec<WireSheet>,
}

#[derive(Deserialize, Default)]
struct WireTitle {
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSheet {
    properties: WireProperties,
    #[serde(default)]
    protected_ranges: Vec<Value>,
}

/// Google leaves out what is zero.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProperties {
    #[serde(default)]
    sheet_id: i64,
    title: String,
    #[serde(default)]
    grid_properties: WireGrid,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct WireGrid {
    #[serde(default)]
    row_count: usize,
    #[serde(default)]
    column_count: usize,
    #[serde(default)]
    frozen_row_count: usize,
}

impl From<WireSheet> for Tab {
    fn from(sheet: WireSheet) -> Tab {
        let WireProperties { sheet_id: id, title, grid_properties: grid } = sheet.properties;
        Tab {
            id,
            title,
            rows: grid.row_count,
            columns: grid.column_count,
            frozen: grid.frozen_row_count,
            protected: !sheet.protected_ranges.is_empty(),
        }
    }
}

/// One spreadsheet.
pub(crate) struct Spreadsheet {
    pub(crate) client: Client,
    pub(crate) id: String,
}

fn read<T: for<'de> Deserialize<'de>>(value: Value, what: &str) -> Result<T, SheetsError> {
    serde_json::from_value(value).map_err(|error| {
        SheetsError::Internal(format!(
            "Google's answer to {what} is not what its documentation says: {error}"
        ))
    })
}

impl Spreadsheet {
    /// Makes one.
    pub(crate) async fn create(client: Client, title: &str) -> Result<Spreadsheet, SheetsError> {
        let url = format!("{}/v4/spreadsheets", client.base_url);
        let body = Bytes::from(json!({"properties": {"title": title}}).to_string());
        let what = "to make a spreadsheet";
        let made = client.call(Method::POST, &url, Some(body), Again::No, (what, "")).await;
        let wire: Wire = match made {
            Ok(value) => read(value, what)?,
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Lost(error)) => {
                let text = format!(
                    "{error}. Look into your Google Drive whether `{title}` was made, and give its `spreadsheet_id`"
                );
                return Err(SheetsError::Unreachable { what: what.to_owned(), cause: text });
            }
        };
        Ok(Spreadsheet { client, id: wire.spreadsheet_id })
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v4/spreadsheets/{}{rest}", self.client.base_url, self.id)
    }

    /// Its tabs.
    pub(crate) async fn describe(&self) -> Result<Described, SheetsError> {
        let what = "to describe the spreadsheet";
        let fields = "spreadsheetId,properties.title,sheets(properties,protectedRanges)";
        let url = self.url(&format!("?fields={}", encoded(fields)));
        let wire: Wire =
            read(self.client.call(Method::GET, &url, None, Again::Yes, (what, &self.id)).await?, what)?;
        Ok(Described { title: wire.properties.title, tabs: wire.sheets.into_iter().map(Tab::from).collect() })
    }

    /// Changes tabs, not values: all requests or none. Not repeated where it is not known whether it was done.
    pub(crate) async fn change(&self, requests: &[Value]) -> Result<(), Failure> {
        let body = Bytes::from(json!({"requests": requests}).to_string());
        let what = "to change the tabs";
        let url = self.url(":batchUpdate");
        self.client.call(Method::POST, &url, Some(body), Again::No, (what, &self.id)).await.map(drop)
    }

    /// The values of ranges, in their order, as lists of columns or rows without empty ends.
    pub(crate) async fn values(
        &self,
        ranges: &[String],
        columns: bool,
    ) -> Result<Vec<Vec<Vec<Value>>>, SheetsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            #[serde(default)]
            value_ranges: Vec<Range>,
        }
        #[derive(Deserialize)]
        struct Range {
            #[serde(default)]
            values: Vec<Vec<Value>>,
        }
        let what = "to read values";
        let mut read_values = Vec::with_capacity(ranges.len());
        let mut rest: Vec<String> =
            ranges.iter().map(|range| format!("&ranges={}", encoded(range))).collect();
        while !rest.is_empty() {
            let mut length = 0;
            let fit = rest.iter().take_while(|range| {
                length += range.len();
                length <= ADDRESS
            });
            let count = fit.count().max(1);
            let dimension = if columns { "COLUMNS" } else { "ROWS" };
            let asked: String = rest.drain(..count).collect();
            let url = self.url(&format!(
                "/values:batchGet?majorDimension={dimension}&valueRenderOption=UNFORMATTED_VALUE{asked}"
            ));
            let answer = self.client.call(Method::GET, &url, None, Again::Yes, (what, &self.id)).await?;
            let answer: Answer = read(answer, what)?;
            if answer.value_ranges.len() != count {
                return Err(SheetsError::Internal(format!(
                    "Google answered {} ranges of {count}",
                    answer.value_ranges.len()
                )));
            }
            read_values.extend(answer.value_ranges.into_iter().map(|range| range.values));
        }
        Ok(read_values)
    }

    /// Writes values at fixed places, so that it may be done twice. `data` is a JSON list of value ranges without its
    /// brackets.
    pub(crate) async fn write(&self, data: &[u8], formulas: bool) -> Result<(), SheetsError> {
        let option = if formulas { "USER_ENTERED" } else { "RAW" };
        let mut body = format!("{{\"valueInputOption\":\"{option}\",\"data\":[").into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"]}");
        let url = self.url("/values:batchUpdate");
        let what = ("to write values", self.id.as_str());
        self.client.call(Method::POST, &url, Some(body.into()), Again::Yes, what).await?;
        Ok(())
    }

    /// Removes it.
    pub(crate) async fn delete(&self) -> Result<(), SheetsError> {
        let url = format!("{}/drive/v3/files/{}", self.client.drive_url, self.id);
        let what = ("to delete the spreadsheet", self.id.as_str());
        match self.client.call(Method::DELETE, &url, None, Again::Yes, what).await {
            Ok(_) => Ok(()),
            Err(failure) => match SheetsError::from(failure) {
                // Somebody deleted it, or the first of two requests did.
                SheetsError::NotFound { .. } => Ok(()),
                error => Err(error),
            },
        }
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
