//! Several accounts behind one key, read as one (fidelity K4).
//!
//! Each account is read as if it were the only one, by a client of its own that names it with every request: it has its
//! own limits, its own slice of the state, and ends by itself. What the reads tell is made one:
//!
//! * `choice`: which accounts are chosen, and how they are named in requests; `find`: which ones there are;
//! * `states`, `merge`: one state of all states, one status of all statuses; pure;
//! * `budget`, `merger`: when what is said as a whole, on the way from the accounts' reads to whoever listens; pure;
//! * `platform`: the reads of the accounts; `whole` runs them, routes deliveries and finds new accounts; `post` says
//!   whose a delivery is;
//! * `input`: what others push into the source.
//!
//! All reads share the memory for pages, and only a few read their lists at a time: memory does not depend on how many
//! accounts there are, but for what is remembered of each.

mod budget;
mod choice;
mod find;
mod input;
mod merge;
mod merger;
mod platform;
mod post;
mod states;
mod whole;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream;
use protocol::{ConnectionStatus, ConnectorError, Payload, SourceStateMessage};
use tokio::sync::mpsc;

pub use choice::Accounts;
pub(crate) use choice::context;
pub(crate) use platform::Platform;
pub(crate) use states::States;
pub(crate) use whole::read;

use crate::account;
use crate::client::{Behalf, Client};
use crate::config::{Access, StripeConfig};
use crate::delivery::{Delivery, Sender};
use crate::source::StripeSource;

/// Accounts that are asked for at the same time.
const CHECKED_AT_ONCE: usize = 8;

/// Accounts that are named at most where several cannot be used.
const NAMED: usize = 10;

/// Says whether the accounts that the configuration names can be read; `own` is the one of the key, if it is known.
pub(crate) async fn check(
    source: &StripeSource,
    config: &StripeConfig,
    access: &Access,
    client: &Client,
    own: Option<&str>,
) -> Result<ConnectionStatus, ConnectorError> {
    let Some(accounts) = &config.accounts else { return Ok(ConnectionStatus::succeeded()) };
    let Some(chosen) = accounts.chosen() else {
        return Ok(match find::may_list(client).await {
            Ok(()) => ConnectionStatus::succeeded(),
            Err(error) => ConnectionStatus::failed(find::explain(&error).to_string()),
        });
    };
    let key = secrecy::ExposeSecret::expose_secret(&config.api_key);
    let meter = source.meter();
    let mut clients = Vec::new();
    for chosen in chosen.into_iter().filter(|chosen| own != Some(&chosen.id)) {
        let behalf = choice::behalf(key, own.unwrap_or_default(), &chosen, false)?;
        clients.push((chosen.id, source.client_of(client, access, Some(behalf), &meter)));
    }
    let asked = stream::iter(clients).map(|(id, client)| async move {
        match account::look_up(&client).await {
            // Whoever may read an account need not be allowed to read what it is called.
            Err(error) if error.status() != Some(403) || error.refuses_account() => {
                Some(format!("{id}: {error}"))
            }
            _ => None,
        }
    });
    let refused: Vec<String> = asked.buffered(CHECKED_AT_ONCE).filter_map(std::future::ready).collect().await;
    if refused.is_empty() {
        return Ok(ConnectionStatus::succeeded());
    }
    let more = match refused.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Ok(ConnectionStatus::failed(format!(
        "{} of the accounts cannot be accessed with this key: {}{more}",
        refused.len(),
        refused[..refused.len().min(NAMED)].join("; ")
    )))
}

/// How requests in the name of an account are made, if the configuration chooses it; `own` is the one of the key.
pub(crate) fn behalf_of(
    config: &StripeConfig,
    own: &str,
    account: &str,
) -> Result<Option<Behalf>, ConnectorError> {
    let Some(accounts) = &config.accounts else { return Ok(None) };
    let chosen = match accounts.chosen() {
        None => Some(choice::Chosen::new(account)),
        Some(chosen) => chosen.into_iter().find(|chosen| chosen.id == account),
    };
    let key = secrecy::ExposeSecret::expose_secret(&config.api_key);
    let every = *accounts == Accounts::All;
    chosen.map(|chosen| choice::behalf(key, own, &chosen, every)).transpose()
}

/// Where a read of the key's own account alone tells what it has to say, and what passes it on to `sender`: states gain
/// those of the other accounts, which are not read this time.
pub(crate) fn carry(mut states: States, sender: Sender) -> (Sender, BoxFuture<'static, ()>) {
    if !states.has_others() {
        return (sender, std::future::ready(()).boxed());
    }
    let (inner, mut told) = mpsc::unbounded_channel();
    let pass_on = async move {
        while let Some(mut delivery) = told.recv().await {
            if let Delivery::Message(message) = &mut delivery
                && let Payload::SourceState(state) = &mut message.payload
            {
                match state {
                    SourceStateMessage::Stream { stream, data } => {
                        states.set_stream(None, stream, data.clone());
                        *data = states.stream(stream);
                    }
                    SourceStateMessage::Global { data } => {
                        states.set_global(None, data.clone());
                        *data = states.global();
                    }
                }
            }
            if sender.send(delivery).is_err() {
                return;
            }
        }
    };
    (inner, pass_on.boxed())
}
