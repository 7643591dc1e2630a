//! Which accounts there are.

use protocol::{ConnectorError, ErrorKind};
use serde::Deserialize;

use crate::client::{Client, Get, Received};
use crate::failure::RequestError;
use crate::page::Unexpected;
use crate::retry::PATIENT;

pub(crate) const PATH: &str = "/v1/accounts";

/// The most that a page holds.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Listed>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// The ids of all accounts that are connected to the account of the key, those that were connected last first.
pub(crate) async fn connected(client: &Client) -> Result<Vec<String>, RequestError> {
    let mut found: Vec<String> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = match page(client, PAGE, after.take()).await {
            Ok(page) => page,
            // An account left between two pages: begin anew.
            Err(RequestError::Api(error)) if error.is_lost_cursor(false) => {
                found.clear();
                continue;
            }
            Err(error) => return Err(error),
        };
        found.extend(page.data.into_iter().map(|listed| listed.id));
        if !page.has_more {
            return Ok(found);
        }
        after = found.last().cloned();
    }
}

/// Whether accounts may be listed.
pub(crate) async fn may_list(client: &Client) -> Result<(), RequestError> {
    page(client, 1, None).await.map(|_| ())
}

async fn page(client: &Client, limit: usize, after: Option<String>) -> Result<Answer, RequestError> {
    let mut query = vec![("limit".to_owned(), limit.to_string())];
    query.extend(after.map(|id| ("starting_after".to_owned(), id)));
    let read = |received: &Received| {
        serde_json::from_slice(&received.body)
            .map_err(|error| Unexpected(format!("the body is not a list of accounts: {error}")))
    };
    client.fetch(&Get { path: PATH.into(), query }, None, PATIENT, read).await
}

/// What a failed look for accounts means, for the user.
pub(crate) fn explain(error: &RequestError) -> ConnectorError {
    match error.status() {
        Some(403) => ConnectorError::new(
            ErrorKind::Auth,
            format!(
                "accounts is \"all\", but the API key may not list the accounts that are connected to its own: grant it read \
                 access to them, or list their ids (acct_…) in accounts. Stripe says: {error}"
            ),
        ),
        Some(429) => ConnectorError::new(ErrorKind::RateLimited, error.to_string()),
        Some(status) if status < 500 => ConnectorError::new(
            ErrorKind::Permanent,
            format!(
                "the accounts that are connected to the account of the API key cannot be listed: {error}"
            ),
        ),
        _ => ConnectorError::new(ErrorKind::Transient, error.to_string()),
    }
}
