//! The account of the key, and the reads of those that are read with it.

use std::sync::Arc;

use protocol::{ConfiguredCatalog, ConnectorError, SourceState};
use secrecy::ExposeSecret;
use stripe_openapi::Catalog;

use super::choice::{Accounts, Chosen, behalf};
use super::find;
use crate::account::Account;
use crate::client::Client;
use crate::config::{Access, StripeConfig};
use crate::delivery::{Delivery, Sender};
use crate::failure::RequestError;
use crate::meter::RequestMeter;
use crate::read::{Calls, One};
use crate::room::Room;
use crate::source::StripeSource;
use crate::verdict;

/// What the reads of all accounts share.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) source: StripeSource,
    pub(crate) config: StripeConfig,
    pub(crate) access: Access,
    pub(crate) catalog: Arc<Catalog>,
    /// Asks for the account of the key.
    pub(crate) client: Arc<Client>,
    pub(crate) own: Account,
    pub(crate) own_meter: Arc<RequestMeter>,
    /// Of all accounts.
    pub(crate) meter: Arc<RequestMeter>,
    pub(crate) key_is_good: bool,
}

/// How the read of an account ended.
#[derive(Debug)]
pub(super) enum End {
    /// It told all it had to say.
    Done,
    /// Stripe lets nobody in, and says why.
    NoAccess(String),
}

impl Platform {
    /// The accounts to read, the own one first.
    pub(super) async fn find(&self, accounts: &Accounts) -> Result<Vec<Chosen>, RequestError> {
        if let Some(mut chosen) = accounts.chosen() {
            chosen.sort_by_key(|chosen| !self.is_own(chosen));
            return Ok(chosen);
        }
        let connected = match find::connected(&self.client).await {
            Ok(connected) => connected,
            // Whoever has not signed up for Connect has no accounts connected.
            Err(error) if is_no_platform(&error) => {
                tracing::warn!(%error, "no accounts are connected");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let others = connected.iter().filter(|id| **id != self.own.id);
        Ok(std::iter::once(&self.own.id).chain(others).map(|id| Chosen::new(id)).collect())
    }

    pub(super) fn is_own(&self, chosen: &Chosen) -> bool {
        chosen.id == self.own.id
    }

    /// A client that asks in the name of an account.
    pub(super) fn client_of(
        &self,
        chosen: &Chosen,
        meter: &Arc<RequestMeter>,
    ) -> Result<Client, ConnectorError> {
        let key = self.config.api_key.expose_secret();
        let every = self.config.accounts == Some(Accounts::All);
        let behalf = behalf(key, &self.own.id, chosen, every)?;
        Ok(self.source.client_of(&self.client, &self.access, Some(behalf), meter))
    }

    /// The read of an account.
    pub(super) fn one<'a>(
        &'a self,
        chosen: &Chosen,
        wanted: &'a ConfiguredCatalog,
        room: Arc<Room>,
        sender: Sender,
    ) -> Result<One<'a>, ConnectorError> {
        let (account, client, meter) = match self.is_own(chosen) {
            true => (self.own.clone(), Arc::clone(&self.client), Arc::clone(&self.own_meter)),
            false => {
                // What Stripe calls `created` is when the account was connected: its objects may be older.
                let account = Account { id: chosen.id.clone(), created: None };
                let meter = RequestMeter::part_of(&self.meter);
                (account, Arc::new(self.client_of(chosen, &meter)?), meter)
            }
        };
        Ok(One {
            catalog: &self.catalog,
            config: &self.config,
            access: &self.access,
            wanted,
            account,
            client,
            meter,
            sender,
            room,
            key_is_good: self.key_is_good,
        })
    }

    /// Reads an account until it ends or lets nobody in any more.
    pub(super) async fn read(
        self: Arc<Self>,
        chosen: Chosen,
        wanted: Arc<ConfiguredCatalog>,
        room: Arc<Room>,
        state: SourceState,
        sender: Sender,
        calls: Calls,
    ) -> End {
        let failed = |error: ConnectorError| {
            // Nobody listens any more if this fails.
            let _ = sender.send(Delivery::Failed(error));
            End::Done
        };
        let one = match self.one(&chosen, &wanted, room, sender.clone()) {
            Ok(one) => one,
            Err(error) => return failed(error),
        };
        let client = Arc::clone(&one.client);
        tokio::select! {
            // Before anybody makes something of the refusal.
            biased;
            why = client.lost() => End::NoAccess(why),
            read = one.read(Some(&state), calls) => match read {
                Ok(()) => End::Done,
                Err(error) => failed(error),
            },
        }
    }
}

fn is_no_platform(error: &RequestError) -> bool {
    let is_refused = matches!(verdict::of("account", error), protocol::StreamStatus::Skip { .. });
    is_refused && error.status() != Some(403)
}
