//! Removing what was made, and nothing else.

use protocol::{LogLevel, Message};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::books::{self, Kind};
use crate::client::Failure;
use crate::config::SheetsConfig;
use crate::destination::Shared;
use crate::error::SheetsError;
use crate::tabs::Kept;
use crate::workbook::{Look, look};

/// How often the tabs are removed until they are gone.
const ROUNDS: usize = 4;

/// Removes our tabs; the whole spreadsheet where we made it and nobody added a tab.
pub(crate) async fn remove(
    shared: &Shared,
    config: &SheetsConfig,
    logs: UnboundedSender<Message>,
) -> Result<(), SheetsError> {
    let Some(spreadsheet) = shared.named(config, logs)? else {
        return Err(SheetsError::Config(
            "`spreadsheet_id` is missing: without it nobody knows which spreadsheet to remove".to_owned(),
        ));
    };
    for _ in 0..ROUNDS {
        let Look { described, books, .. } = match look(&spreadsheet).await {
            Ok(look) => look,
            Err(error @ SheetsError::NotFound { .. }) => {
                spreadsheet.client.say(LogLevel::Warn, format!("nothing to remove: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut ours: Vec<i64> = books
            .of_kind(Kind::Stream)
            .filter_map(|(stream, _, _)| Some(Kept::of(&books, stream)?.sheet))
            .collect();
        ours.extend(books.get(Kind::Overview, "", "").and_then(|id| id.parse::<i64>().ok()));
        let is_ours = |id: i64, title: &str| title == books::TITLE || ours.contains(&id);
        let (gone, left): (Vec<_>, Vec<_>) =
            described.tabs.iter().partition(|tab| is_ours(tab.id, &tab.title));
        if gone.is_empty() {
            return Ok(());
        }
        if left.is_empty() && books.get(Kind::Made, "", "").is_some() {
            return spreadsheet.delete().await;
        }
        let mut requests: Vec<Value> = Vec::new();
        if left.is_empty() {
            // A spreadsheet cannot be without a tab.
            requests.push(json!({"addSheet": {"properties": {"title": "Sheet1"}}}));
        }
        // The hidden tab goes last: it says which others are ours.
        let (hidden, shown): (Vec<_>, Vec<_>) = gone.into_iter().partition(|tab| tab.title == books::TITLE);
        for tab in shown.into_iter().chain(hidden) {
            requests.push(json!({"deleteSheet": {"sheetId": tab.id}}));
        }
        match spreadsheet.change(&requests).await {
            Ok(()) => return Ok(()),
            Err(Failure::Refused(error)) => return Err(error),
            // Whether it was done is looked at.
            Err(Failure::Lost(_)) => {}
        }
    }
    Err(SheetsError::Internal("the tabs cannot be removed".to_owned()))
}
