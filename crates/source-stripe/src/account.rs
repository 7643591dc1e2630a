//! Which account a key belongs to.

use protocol::{ConnectorError, ErrorKind};
use serde::Deserialize;

use crate::client::{Client, Get, Received};
use crate::config::StripeConfig;
use crate::failure::RequestError;
use crate::page::Unexpected;
use crate::retry::BRIEF;

pub(crate) const ACCOUNT_PATH: &str = "/v1/account";

/// What is known of the account that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// Unix seconds.
    pub(crate) created: Option<i64>,
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    created: Option<i64>,
}

/// Asks Stripe for the account of the key.
pub(crate) async fn look_up(client: &Client) -> Result<Account, RequestError> {
    let read = |received: &Received| {
        let answer: Answer = serde_json::from_slice(&received.body)
            .map_err(|error| Unexpected(format!("the body is not an account: {error}")))?;
        let id = answer.id.ok_or_else(|| Unexpected("the body is an account without an id".to_owned()))?;
        Ok(Account { id, created: answer.created })
    };
    client.fetch(&Get::plain(ACCOUNT_PATH), None, BRIEF, read).await
}

/// Why the key must not be used with this configuration, if it must not: it is the key of another account than the one that is
/// named, and its rows would be taken for those of that one. With several accounts each row says whose it is, so any may be named.
pub(crate) fn foreign(config: &StripeConfig, own: &Account) -> Option<ConnectorError> {
    let named = config.account_id.as_deref().filter(|_| config.accounts.is_none())?;
    (id_of(named) != own.id).then(|| {
        ConnectorError::config(format!(
            "the API key belongs to {own}, but account_id says {named}: set api_key to a key of {named}, or, to read {own} \
             from now on, account_id to {own} and account_created to null",
            own = own.id
        ))
    })
}

/// The id of an account that is named by it, or by a path to it within an organisation.
pub(crate) fn id_of(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or(named)
}

/// The account as configured, completed by Stripe's answer where something is missing.
///
/// A key that may not read the account is good enough where the id is configured (fidelity K2).
pub(crate) async fn resolve(
    client: &Client,
    id: Option<&str>,
    created: Option<u32>,
) -> Result<Account, RequestError> {
    let created = created.map(i64::from);
    if let (Some(id), Some(_)) = (id, created) {
        return Ok(Account { id: id.to_owned(), created });
    }
    match (look_up(client).await, id) {
        (Ok(found), id) => {
            let is_same = id.is_none_or(|id| id == found.id);
            let created = created.or(found.created.filter(|_| is_same));
            Ok(Account { id: id.map_or(found.id, str::to_owned), created })
        }
        (Err(error), Some(id)) if error.status() == Some(403) => {
            tracing::debug!(%error, "the key may not read its account");
            Ok(Account { id: id.to_owned(), created })
        }
        (Err(error), _) => Err(error),
    }
}

/// What a failed look-up means, for the user.
pub(crate) fn explain(error: &RequestError) -> ConnectorError {
    match error.status() {
        Some(401) => ConnectorError::new(
            ErrorKind::Auth,
            format!("Stripe refuses the API key: {error}. Check that api_key is whole and not revoked"),
        ),
        Some(403) => ConnectorError::new(
            ErrorKind::Auth,
            format!(
                "the API key may not read its own account: set account_id in the configuration (acct_…, shown in the \
                 Stripe dashboard under Settings, Account details), or grant the key read access to it. \
                 Stripe says: {error}"
            ),
        ),
        Some(429) => ConnectorError::new(ErrorKind::RateLimited, error.to_string()),
        Some(status) if status < 500 => ConnectorError::new(ErrorKind::Permanent, error.to_string()),
        _ => ConnectorError::new(ErrorKind::Transient, error.to_string()),
    }
}
