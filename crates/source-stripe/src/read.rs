//! What is read, in which order: the lists first, then what changed meanwhile, then, where asked for, whatever changes.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    ConfiguredCatalog, ConnectionStatus, ConnectorError, ErrorKind, InputStream, LogLevel, Message, RawJson,
    ReadRequest, SourceState, StreamStatus,
};
use stripe_openapi::Catalog;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::account::{self, Account};
use crate::accounts::{self, Platform, States};
use crate::client::Client;
use crate::config::{Access, StripeConfig};
use crate::current::{self, Applier, Follower, Pace, Rereads, Stopped};
use crate::delivery::{Delivery, Sender};
use crate::driver::page_memory;
use crate::formed::Formed;
use crate::hydrate;
use crate::meter::RequestMeter;
use crate::push;
use crate::room::Room;
use crate::source::StripeSource;
use crate::stream_state::StreamState;
use crate::streams::{self, Streams};

/// Pushed events that are applied together.
pub(crate) const PUSHED_TOGETHER: usize = 100;

/// Performs one read and tells `sender`. An error is one that concerns all streams.
pub(crate) async fn read(
    source: &StripeSource,
    meter: Arc<RequestMeter>,
    config: &StripeConfig,
    request: ReadRequest,
    sender: Sender,
) -> Result<(), ConnectorError> {
    let access = config.access()?;
    let catalog = source.catalog(&access).await?;
    hydrate::check(&config.hydrate, &catalog)?;
    let client = Arc::new(source.client(&access)?);
    let key_is_good = config.account_id.is_none() || config.account_created.is_none();
    let account = match account::resolve(&client, config.account_id.as_deref(), config.account_created).await
    {
        Ok(account) => account,
        Err(error) => {
            let failed = ConnectionStatus::failed(account::explain(&error).to_string());
            // Nobody listens any more if this fails.
            let _ = sender.send(Delivery::Message(Message::connection_status(failed)));
            return Ok(());
        }
    };
    for name in streams::sort(&catalog, &request.catalog).1 {
        let error = format!("Unknown stream: {name}. API version {} has no such list", access.api_version);
        let failed = Message::stream_status(name, StreamStatus::Error { error });
        let _ = sender.send(Delivery::Message(failed));
    }
    let states = States::read(request.state.as_ref());
    if let Some(chosen) = &config.accounts {
        // From here on its figures are the sums of those of the accounts.
        meter.rate_is(0.0);
        let own_meter = RequestMeter::part_of(&meter);
        let client = Arc::new(source.client_of(&client, &access, access.context.clone(), &own_meter));
        let (source, config) = (source.clone(), config.clone());
        let platform =
            Platform { source, config, access, catalog, client, own: account, own_meter, meter, key_is_good };
        return accounts::read(platform, chosen, request, states, sender).await;
    }
    let ReadRequest { catalog: wanted, state, input, durable } = request;
    let room = Room::new(page_memory(access.limits.account_rate));
    let own = state.map(|_| states.of(None));
    let (sender, carried) = accounts::carry(states, sender);
    let one = One {
        catalog: &catalog,
        config,
        access: &access,
        wanted: &wanted,
        account,
        client: Arc::clone(&client),
        meter,
        sender,
        room,
        key_is_good,
    };
    let read = async move {
        match input {
            Some(input) => one.take(input, own.as_ref()).await,
            None => {
                // Deliveries begin at once; those that come before the lists are read wait, and are found in the log
                // all the same.
                let opened = if config.stays() { Some(push::open(config, &client).await?) } else { None };
                let (inbox, _guard) = opened.unzip();
                one.read(own.as_ref(), Calls { inbox, durable, turn: None }).await
            }
        }
    };
    futures::join!(read, carried).0
}

/// One account to read, and what with.
pub(crate) struct One<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) config: &'a StripeConfig,
    pub(crate) access: &'a Access,
    pub(crate) wanted: &'a ConfiguredCatalog,
    pub(crate) account: Account,
    pub(crate) client: Arc<Client>,
    pub(crate) meter: Arc<RequestMeter>,
    pub(crate) sender: Sender,
    pub(crate) room: Arc<Room>,
    pub(crate) key_is_good: bool,
}

/// What reaches a read while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Where events are delivered; without it the read ends.
    pub(crate) inbox: Option<push::Inbox>,
    /// Counts the global states that are durable.
    pub(crate) durable: Option<watch::Receiver<u64>>,
    /// The right to read lists, if only so many may at a time: given back once they are read.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
}

impl<'a> One<'a> {
    /// The streams of the account. Those that do not exist are left out.
    pub(crate) fn streams(self) -> Streams<'a> {
        let One { catalog, config, wanted, account, client, meter, sender, room, key_is_good, .. } = self;
        let (known, _) = streams::sort(catalog, wanted);
        Streams::new(catalog, config, known, account, client, meter, sender, room, key_is_good)
    }

    /// Reads the account from `state` on: its lists, then what changed.
    pub(crate) async fn read(self, state: Option<&SourceState>, calls: Calls) -> Result<(), ConnectorError> {
        let (config, access) = (self.config, self.access);
        let Calls { inbox, durable, turn } = calls;
        let mut streams = self.streams();
        if !access.live {
            streams.find_clocks().await;
        }
        let mut states = streams.remembered(state);
        let formed = Formed::of(&streams, &access.api_version, state);
        streams.as_answered = formed.forms.changed();
        let (mut follower, mut missed) = (None, None);
        if config.follows_events() {
            let begun = begin(&streams, &access.api_version, state, &formed).await?;
            missed = begun.warning.map(|why| (begun.missed, why));
            follower = Some(begun.follower);
        }
        let mut again = streams
            .forget(&mut states, streams.client.now(), |known| match &missed {
                Some((missed, why)) if known.is_missed(missed) => Some(why.clone()),
                _ => formed.why(&known.configured.stream.name),
            })
            .map_err(not_written)?;
        match &mut follower {
            Some(follower) => {
                note_anew(&streams, &states, &mut again, follower);
                follower.start();
            }
            None => formed.tell(&streams, state).map_err(not_written)?,
        }
        let Some(ends) = streams.backfill(&states, &again, streams.client.now()).await else { return Ok(()) };
        let Some(mut follower) = follower else { return Ok(()) };
        ends.iter().for_each(|(stream, _)| follower.standing.failed(stream));
        let failed = |stream: &str| ends.iter().any(|(failed, _)| **failed == *stream);
        let wanted =
            |stream: &str| streams.known.iter().any(|known| *known.configured.stream.name == *stream);
        if follower.have_ended(|stream| wanted(stream) && !failed(stream)).is_err() {
            return Ok(());
        }
        let mut rereads = Rereads::new(&streams, config, &mut follower, &ends);
        if let Some(inbox) = inbox {
            drop(turn);
            follower.standing.follow(streams.kept_by_events(|_| true));
            current::stay(&mut follower, &mut rereads, inbox, durable, config).await;
            return Ok(());
        }
        // What was read just now is as new as a read can make it.
        follower.standing.follow(streams.kept_by_events(|index| states[index].is_some()));
        let polled = match follower.poll().await {
            Err(Stopped::Refused(error)) => follower.fail(&error),
            Err(Stopped::Gone) => return Ok(()),
            Ok(()) => Ok(()),
        };
        if polled.is_ok() {
            // Nobody listens any more if this fails.
            let _ = rereads.perform(&mut follower).await;
        }
        Ok(())
    }

    /// Applies what others push into the source, to its end.
    async fn take(self, input: InputStream, state: Option<&SourceState>) -> Result<(), ConnectorError> {
        let (config, access) = (self.config, self.access);
        let streams = self.streams();
        let mut applier = pushed_applier(&streams, &access.api_version, state);
        let mut input = input.ready_chunks(PUSHED_TOGETHER);
        while let Some(items) = input.next().await {
            let events = pushed(items, config, streams.client.now())?;
            let Ok(failed) = apply(&mut applier, &events).await else { return Ok(()) };
            for (stream, error) in failed {
                streams.say(Message::stream_status(&stream, StreamStatus::Error { error }));
            }
        }
        Ok(())
    }
}

fn not_written(error: protocol::RawJsonError) -> ConnectorError {
    ConnectorError::internal("a state cannot be written").caused_by(error)
}

/// Notes which streams begin to be read anew, and finds those that an earlier read began so and did not bring to their
/// ends: what is no longer in their objects has to go, however many reads it takes.
fn note_anew(
    streams: &Streams<'_>,
    states: &[Option<StreamState>],
    again: &mut [Option<String>],
    follower: &mut Follower,
) {
    for ((known, state), again) in streams.known.iter().zip(states).zip(again) {
        let name = &known.configured.stream.name;
        if again.is_some() {
            follower.begins_anew(name);
        } else if follower.is_anew(name) && state.as_ref().is_some_and(|state| !state.remaining.is_empty()) {
            *again = Some("the reading of everything again, which was interrupted, goes on".to_owned());
        }
    }
}

/// The streams that were read before.
pub(crate) fn read_before(state: Option<&SourceState>) -> Vec<&str> {
    let streams = state.into_iter().flat_map(|state| &state.streams);
    let read = streams.filter(|(_, data)| data.as_bytes() != b"null");
    read.map(|(stream, _)| &**stream).collect()
}

/// Where events are followed from.
struct Begun {
    follower: Follower,
    /// Streams that have to be read again.
    missed: current::Missed,
    /// Why, if any.
    warning: Option<String>,
}

/// Finds out where to follow events from, before anything else is read (fidelity C8).
async fn begin(
    streams: &Streams<'_>,
    api_version: &stripe_openapi::ApiVersion,
    state: Option<&SourceState>,
    formed: &Formed,
) -> Result<Begun, ConnectorError> {
    let global = state.map(|state| &state.global);
    let stored = match global.map_or(Ok(None), current::Position::read) {
        Ok(stored) => stored,
        Err(problem) => {
            let warning = format!("the stored position in the events cannot be read: {problem}");
            streams.say(Message::log(LogLevel::Warn, warning));
            None
        }
    };
    let applier = applier(streams, api_version);
    let log = current::EventLog::new(streams.catalog, applier.tables.any_v2());
    // The first answer tells Stripe's time, which everything else is counted from.
    let readable = if stored.is_none() { log.probe(&streams.client).await } else { Ok(()) };
    let read_before = read_before(state);
    let is_wanted = |stream: &str| streams.known.iter().any(|known| *known.configured.stream.name == *stream);
    let mut begin = current::begin(stored, &read_before, is_wanted, streams.client.now());
    if !formed.again.is_empty() {
        // Rows may be newer than what the lists will show for certain: what made them so is looked at again.
        begin.position.events_seen.clear();
    }
    begin.position.form = Some(formed.forms.clone());
    if let Some(warning) = &begin.warning {
        streams.say(Message::log(LogLevel::Warn, warning.clone()));
    }
    let pace = Pace::of(streams.config);
    let event_streams = ["event", "v2_core_event"].into_iter().filter_map(|table| {
        let known = streams.known.iter().find(|known| known.resource.table == table)?;
        Some((table, Arc::clone(&known.configured.stream.name)))
    });
    let is_new = begin.is_new || formed.is_new;
    let mut follower = Follower::new(applier, log, pace, begin.position, event_streams.collect(), is_new);
    if let Err(error) = readable {
        // Nobody listens any more if this fails.
        let _ = follower.warn(&error);
    }
    Ok(Begun { follower, missed: begin.missed, warning: begin.warning })
}

/// What applies pushed events, of an account that stands at `state`. Events from before the position in the log may be old news:
/// what the lists showed, or left out because it was deleted meanwhile. So their objects are read again.
pub(crate) fn pushed_applier(
    streams: &Streams<'_>,
    api_version: &stripe_openapi::ApiVersion,
    state: Option<&SourceState>,
) -> Applier {
    let mut applier = applier(streams, api_version);
    if let Some(position) = state.and_then(|state| current::Position::read(&state.global).ok().flatten()) {
        applier.coverage = current::Coverage::new(position.events_cursor - 1);
    }
    applier
}

fn applier(streams: &Streams<'_>, api_version: &stripe_openapi::ApiVersion) -> Applier {
    let named: Vec<(Arc<str>, &stripe_openapi::Resource)> = streams
        .known
        .iter()
        .map(|known| (Arc::clone(&known.configured.stream.name), known.resource))
        .collect();
    let revalidate = &streams.config.revalidate_objects;
    Applier {
        client: Arc::clone(&streams.client),
        room: Arc::clone(&streams.room),
        account_id: streams.account.id.as_str().into(),
        api_version: api_version.to_string(),
        tables: current::Tables::new(streams.catalog, &named, revalidate, &streams.config.hydrate),
        coverage: current::Coverage::default(),
        sender: streams.sender.clone(),
    }
}

/// The events in what was pushed.
pub(crate) fn pushed(
    items: Vec<Result<RawJson, ConnectorError>>,
    config: &StripeConfig,
    now: i64,
) -> Result<Vec<current::Event>, ConnectorError> {
    let read = |item: Result<RawJson, ConnectorError>| {
        let text = push::pushed(&item?, config.webhook_secret.as_ref(), now)?;
        current::Event::read(&text)
            .map_err(|problem| ConnectorError::new(ErrorKind::Config, format!("the input is {}", problem.0)))
    };
    items.into_iter().map(read).collect()
}

/// Applies pushed events; answers the streams that are not current after it, and why.
pub(crate) async fn apply(
    applier: &mut Applier,
    events: &[current::Event],
) -> Result<HashMap<Arc<str>, String>, current::Gone> {
    let mut said: HashMap<Arc<str>, String> = HashMap::new();
    for failure in applier.apply(events).await? {
        for stream in failure.streams {
            said.entry(stream).or_insert_with(|| failure.error.to_string());
        }
    }
    Ok(said)
}
