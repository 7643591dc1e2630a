//! What others push into the source, for several accounts.

use std::collections::HashMap;

use futures::StreamExt;
use protocol::{ConfiguredCatalog, ConnectorError, InputStream, LogLevel, Message, StreamStatus, counted};

use super::choice::{Accounts, Chosen};
use super::platform::Platform;
use super::states::States;
use crate::current::{Applier, Event};
use crate::delivery::{Delivery, Sender};
use crate::driver::page_memory;
use crate::read::{self, PUSHED_TOGETHER};
use crate::room::Room;
use crate::streams::Streams;

/// Applies events to their accounts, to the end of the input. Events of accounts that are not read are left out.
pub(super) async fn take(
    platform: &Platform,
    accounts: &Accounts,
    wanted: &ConfiguredCatalog,
    states: &States,
    input: InputStream,
    sender: &Sender,
) -> Result<(), ConnectorError> {
    let room = Room::new(page_memory(platform.access.limits.account_rate));
    let chosen = accounts.chosen();
    let mut appliers: HashMap<String, (Streams<'_>, Applier)> = HashMap::new();
    let mut input = input.ready_chunks(PUSHED_TOGETHER);
    while let Some(items) = input.next().await {
        let mut of_accounts: Vec<(String, Vec<Event>)> = Vec::new();
        for event in read::pushed(items, &platform.config, platform.client.now())? {
            let account = event.account.clone().unwrap_or_else(|| platform.own.id.clone());
            match of_accounts.iter_mut().find(|(id, _)| *id == account) {
                Some((_, events)) => events.push(event),
                None => of_accounts.push((account, vec![event])),
            }
        }
        for (id, events) in of_accounts {
            let named = match &chosen {
                None => Some(Chosen::new(&id)),
                Some(chosen) => chosen.iter().find(|chosen| chosen.id == id).cloned(),
            };
            let Some(named) = named else {
                let verb = if events.len() == 1 { "is" } else { "are" };
                let events = counted(events.len(), "event");
                let warning = format!("{id}: {events} {verb} left out: accounts does not name it");
                // Nobody listens any more if this fails.
                let _ = sender.send(Delivery::Message(Message::log(LogLevel::Warn, warning)));
                continue;
            };
            if !appliers.contains_key(&id) {
                let streams = platform.one(&named, wanted, room.clone(), sender.clone())?.streams();
                let whose = (id != platform.own.id).then_some(&*id);
                let state = states.of(whose);
                let applier = read::pushed_applier(&streams, &platform.access.api_version, Some(&state));
                appliers.insert(id.clone(), (streams, applier));
            }
            let Some((streams, applier)) = appliers.get_mut(&id) else { continue };
            let Ok(failed) = read::apply(applier, &events).await else { return Ok(()) };
            for (stream, error) in failed {
                let error = format!("{id}: {error}");
                streams.say(Message::stream_status(&stream, StreamStatus::Error { error }));
            }
        }
    }
    Ok(())
}
