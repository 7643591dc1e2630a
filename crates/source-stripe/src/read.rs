//! What is read, in which order: the lists first, then what changed meanwhile, then, where asked for, whatever changes.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    ConnectionStatus, ConnectorError, ErrorKind, LogLevel, Message, ReadRequest, SourceState, StreamStatus,
};

use crate::account;
use crate::config::StripeConfig;
use crate::current::{self, Applier, Follower, Pace, Rereads, Stopped};
use crate::delivery::{Delivery, Sender};
use crate::driver::page_memory;
use crate::meter::RequestMeter;
use crate::push;
use crate::room::Room;
use crate::source::StripeSource;
use crate::streams::{self, Streams};

/// Pushed events that are applied together.
const PUSHED_TOGETHER: usize = 100;

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
    let client = Arc::new(source.client(&access)?);
    let looked_up = config.account_id.is_none() || config.account_created.is_none();
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
    let ReadRequest { catalog: wanted, state, input, durable } = request;
    let (known, unknown) = streams::sort(&catalog, &wanted);
    let room = Room::new(page_memory(access.limits.account_rate));
    let mut streams = Streams::new(&catalog, config, known, account, client, meter, sender, room, looked_up);
    for name in unknown {
        let error = format!("Unknown stream: {name}. API version {} has no such list", access.api_version);
        streams.say(Message::stream_status(name, StreamStatus::Error { error }));
    }
    if let Some(input) = input {
        return take(&streams, &access.api_version, input).await;
    }
    if !access.live {
        streams.find_clocks().await;
    }
    let mut states = streams.remembered(state.as_ref());
    let mut again = vec![None; states.len()];
    // Deliveries begin at once; those that come before the lists are read wait, and are found in the log all the same.
    let inbox = if config.stays() { Some(push::open(config, &streams.client).await?) } else { None };
    let mut follower = None;
    if config.follows_events() {
        let begun = begin(&streams, &access.api_version, state.as_ref(), &states).await?;
        if let Some(why) = &begun.reads_again {
            again = streams.forget(&mut states, why, streams.client.now()).map_err(not_written)?;
        }
        let mut begun = begun.follower;
        begun.start();
        follower = Some(begun);
    }
    if streams.backfill(&states, &again, streams.client.now()).await.is_none() {
        return Ok(());
    }
    let Some(mut follower) = follower else { return Ok(()) };
    let mut rereads = Rereads::new(&streams, config, &mut follower);
    if let Some(inbox) = inbox {
        current::stay(&mut follower, &mut rereads, inbox, durable, config).await;
        return Ok(());
    }
    match follower.poll().await {
        Ok(()) => {
            // Nobody listens any more if this fails.
            let _ = rereads.perform(&mut follower).await;
        }
        Err(Stopped::Gone) => {}
        Err(Stopped::Refused(error)) => follower.fail(&error),
    }
    Ok(())
}

fn not_written(error: protocol::RawJsonError) -> ConnectorError {
    ConnectorError::internal("a state cannot be written").caused_by(error)
}

/// Where events are followed from.
struct Begun {
    follower: Follower,
    /// Why all that events tell of has to be read again, if it has.
    reads_again: Option<String>,
}

/// Finds out where to follow events from, before anything else is read (fidelity C8).
async fn begin(
    streams: &Streams<'_>,
    api_version: &stripe_openapi::ApiVersion,
    state: Option<&SourceState>,
    states: &[Option<crate::stream_state::StreamState>],
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
    let begin = current::begin(stored, states.iter().any(Option::is_some), streams.client.now());
    if let Some(warning) = &begin.warning {
        streams.say(Message::log(LogLevel::Warn, warning.clone()));
    }
    let pace = Pace::of(streams.config);
    let event_streams = ["event", "v2_core_event"].into_iter().filter_map(|table| {
        let known = streams.known.iter().find(|known| known.resource.table == table)?;
        Some((table, Arc::clone(&known.configured.stream.name)))
    });
    let mut follower =
        Follower::new(applier, log, pace, begin.position, event_streams.collect(), begin.is_new);
    if let Err(error) = readable {
        follower.fail(&error);
    }
    Ok(Begun { follower, reads_again: begin.warning.filter(|_| begin.reads_again) })
}

fn applier(streams: &Streams<'_>, api_version: &stripe_openapi::ApiVersion) -> Applier {
    let named: Vec<(Arc<str>, &stripe_openapi::Resource)> = streams
        .known
        .iter()
        .map(|known| (Arc::clone(&known.configured.stream.name), known.resource))
        .collect();
    Applier {
        client: Arc::clone(&streams.client),
        room: Arc::clone(&streams.room),
        account_id: streams.account.id.as_str().into(),
        api_version: api_version.to_string(),
        tables: current::Tables::new(streams.catalog, &named, &streams.config.revalidate_objects),
        coverage: current::Coverage::default(),
        sender: streams.sender.clone(),
    }
}

/// Applies what is pushed, and ends with it.
async fn take(
    streams: &Streams<'_>,
    api_version: &stripe_openapi::ApiVersion,
    input: protocol::InputStream,
) -> Result<(), ConnectorError> {
    let mut applier = applier(streams, api_version);
    let secret = streams.config.webhook_secret.as_ref();
    let mut input = input.ready_chunks(PUSHED_TOGETHER);
    while let Some(items) = input.next().await {
        let mut events = Vec::with_capacity(items.len());
        for item in items {
            let text = push::pushed(&item?, secret, streams.client.now())?;
            let event = current::Event::read(text).map_err(|problem| {
                ConnectorError::new(ErrorKind::Config, format!("the input is {}", problem.0))
            })?;
            events.push(event);
        }
        let Ok(failed) = applier.apply(&events).await else { return Ok(()) };
        let mut said: HashMap<Arc<str>, String> = HashMap::new();
        for failure in failed {
            for stream in failure.streams {
                said.entry(stream).or_insert_with(|| failure.error.to_string());
            }
        }
        for (stream, error) in said {
            streams.say(Message::stream_status(&stream, StreamStatus::Error { error }));
        }
    }
    Ok(())
}
