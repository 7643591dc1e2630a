//! Whose a delivery is.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::RawJson;
use serde::Deserialize;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::current::account_in;
use crate::push::Delivered;

/// Deliveries that wait for one account. More are not taken.
const MOST_WAITING: usize = 1_000;

/// The inboxes of the accounts that are read at present.
#[derive(Debug, Default)]
pub(super) struct Post {
    inboxes: HashMap<Arc<str>, mpsc::Sender<Delivered>>,
}

impl Post {
    /// Opens the inbox of an account.
    pub(super) fn open(&mut self, account: &str) -> mpsc::Receiver<Delivered> {
        let (inbox, deliveries) = mpsc::channel(MOST_WAITING);
        self.inboxes.insert(account.into(), inbox);
        deliveries
    }

    pub(super) fn close(&mut self, account: &str) {
        self.inboxes.remove(account);
    }

    /// Whether the account is read.
    pub(super) fn reaches(&self, account: &str) -> bool {
        self.inboxes.contains_key(account)
    }

    /// Hands a delivery to the read of its account.
    pub(super) fn deliver(&self, account: &str, delivered: Delivered) {
        let Some(inbox) = self.inboxes.get(account) else {
            delivered.receipt.refused(format!("{account} is not read at present"));
            return;
        };
        match inbox.try_send(delivered) {
            Ok(()) => {}
            Err(TrySendError::Full(delivered)) => {
                delivered.receipt.refused(format!("too many events of {account} wait to be applied"));
            }
            Err(TrySendError::Closed(delivered)) => {
                delivered.receipt.refused(format!("{account} is not read any more"));
            }
        }
    }
}

/// The account that an event happened in; `None` where it is the key's own.
pub(super) fn account_of(event: &RawJson) -> Option<String> {
    #[derive(Deserialize)]
    struct Names {
        account: Option<String>,
        context: Option<String>,
    }
    let names: Names = event.read().ok()?;
    names.account.or_else(|| account_in(names.context.as_deref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_their_account() {
        let of = |text: &str| account_of(&RawJson::parse(text.to_owned()).unwrap());
        assert_eq!(of(r#"{"id":"evt_1"}"#), None);
        assert_eq!(of(r#"{"account":"acct_1","context":null}"#).as_deref(), Some("acct_1"));
        assert_eq!(of(r#"{"context":"acct_1/acct_2"}"#).as_deref(), Some("acct_2"));
        assert_eq!(of(r#"{"context":"org_1"}"#), None);
    }
}
