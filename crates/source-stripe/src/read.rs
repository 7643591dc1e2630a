//! What is read, and how a read begins.

use std::sync::Arc;

use protocol::{
    ConfiguredStream, ConnectionStatus, ConnectorError, LogLevel, Message, ReadRequest, SourceState,
    StreamStatus,
};
use stripe_openapi::{Catalog, Resource};

use crate::account;
use crate::children;
use crate::client::Client;
use crate::clocks;
use crate::config::StripeConfig;
use crate::delivery::{Delivery, Sender};
use crate::driver::Driver;
use crate::failure::RequestError;
use crate::lane::{Follower, StreamRun};
use crate::meter::RequestMeter;
use crate::passes;
use crate::plan::Planner;
use crate::source::StripeSource;
use crate::stream_state::StreamState;
use crate::verdict;
use crate::window::Window;

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
    // Nobody listens any more if sending fails; the task is then aborted.
    let say = |message: Message| {
        let _ = sender.send(Delivery::Message(message));
    };
    let looked_up = config.account_id.is_none() || config.account_created.is_none();
    let account = match account::resolve(&client, config.account_id.as_deref(), config.account_created).await
    {
        Ok(account) => account,
        Err(error) => {
            say(Message::connection_status(ConnectionStatus::failed(account::explain(&error).to_string())));
            return Ok(());
        }
    };
    let (known, unknown): (Vec<_>, Vec<_>) = request
        .catalog
        .streams
        .iter()
        .map(|stream| (stream, find(&catalog, stream)))
        .partition(|(_, found)| found.is_some());
    for (stream, _) in unknown {
        let name = &stream.stream.name;
        let error = format!("Unknown stream: {name}. API version {} has no such list", access.api_version);
        say(Message::stream_status(name, StreamStatus::Error { error }));
    }
    let known: Vec<Known<'_>> = known
        .into_iter()
        .filter_map(|(configured, found)| found.map(|resource| Known { configured, resource }))
        .collect();
    let clocks = if access.live { Ok(Vec::new()) } else { clocks_for(&client, &catalog, &known, &say).await };

    let rate = access.limits.account_rate;
    let mut driver = Driver::new(Arc::clone(&client), meter, &account.id, sender.clone(), rate, looked_up);
    let now = jiff::Timestamp::now().as_second();
    let states: Vec<Option<StreamState>> =
        known.iter().map(|known| remembered(request.state.as_ref(), known, say)).collect();
    let going_on = passes::goes_on(&states, now);
    let following = follow(&catalog, &known, &states);
    for (index, (Known { configured, resource }, state)) in known.iter().zip(&states).enumerate() {
        let followers = match &following[index] {
            Place::Follows => continue,
            Place::Leads(followers) => followers.clone(),
        };
        let name = Arc::clone(&configured.stream.name);
        let clocks = match &clocks {
            Ok(clocks) => clocks.as_slice(),
            Err(error) if passes::stream_wants_clocks(&catalog, resource) => {
                let status = verdict::of(&name, error);
                for name in std::iter::once(&name).chain(followers.iter().map(|follower| &follower.name)) {
                    say(Message::stream_status(name, status.clone()));
                }
                continue;
            }
            Err(_) => &[],
        };
        // Connected accounts may be older than the account they are connected to.
        let began = account.created.filter(|_| !children::lists_accounts(&catalog, resource));
        let mut wanted = Window::wanted(configured.time_range.as_ref(), began, now);
        let passes = passes::of_stream(&catalog, resource, clocks);
        if going_on {
            wanted = passes::window_going_on(&passes, state.as_ref(), wanted);
        }
        let parts = passes::parts(&passes, state.as_ref(), wanted, going_on);
        let limit = configured.backfill_limit.or(config.backfill_limit.map(std::num::NonZeroU64::get));
        let page_size = passes.first().map_or(100, passes::Pass::page_size);
        let mut run = StreamRun::new(name, passes, wanted, now);
        run.followers = followers;
        driver.add(run, Planner::new(parts, page_size, limit));
    }
    driver.run().await;
    Ok(())
}

/// A configured stream and what it is filled with.
struct Known<'a> {
    configured: &'a ConfiguredStream,
    resource: &'a Resource,
}

fn find<'c>(catalog: &'c Catalog, stream: &ConfiguredStream) -> Option<&'c Resource> {
    catalog.resource(&stream.stream.name).filter(|resource| children::can_be_filled(catalog, resource))
}

/// How a stream is read.
enum Place {
    /// From pages of its own, which fill these streams too.
    Leads(Vec<Follower>),
    /// From the pages of another stream.
    Follows,
}

/// Streams whose rows lie in the objects of another stream are read with it, at no cost, where both have to
/// read the same.
fn follow(catalog: &Catalog, known: &[Known<'_>], states: &[Option<StreamState>]) -> Vec<Place> {
    let mut places: Vec<Place> = known.iter().map(|_| Place::Leads(Vec::new())).collect();
    for (index, child) in known.iter().enumerate() {
        let Some((parent, property)) = children::within(catalog, child.resource) else { continue };
        let agrees = |other: usize| {
            let (own, parent) = (child.configured, known[other].configured);
            states[index] == states[other]
                && own.time_range == parent.time_range
                && own.backfill_limit == parent.backfill_limit
        };
        let leader = known.iter().position(|other| other.resource.table == parent);
        if let Some(leader) = leader.filter(|leader| agrees(*leader))
            && let Place::Leads(followers) = &mut places[leader]
        {
            followers.push(Follower { name: Arc::clone(&child.configured.stream.name), property });
            places[index] = Place::Follows;
        }
    }
    places
}

/// What was remembered of a stream; nothing where it was never read, or where that is not understood.
fn remembered(state: Option<&SourceState>, known: &Known<'_>, say: impl Fn(Message)) -> Option<StreamState> {
    let name = &known.configured.stream.name;
    let data = state?.streams.get(&**name).filter(|data| data.as_bytes() != b"null")?;
    match StreamState::read(data) {
        Ok(state) => Some(state),
        Err(problem) => {
            let warning =
                format!("{name}: the stored state cannot be read, so the stream is read anew: {problem}");
            say(Message::log(LogLevel::Warn, warning));
            None
        }
    }
}

/// The test clocks of the account, if some stream needs them.
async fn clocks_for(
    client: &Client,
    catalog: &Catalog,
    streams: &[Known<'_>],
    say: impl Fn(Message),
) -> Result<Vec<String>, RequestError> {
    let exists = catalog.resource("test_helpers_test_clock").is_some_and(|clock| clock.list.is_some());
    if !exists || !streams.iter().any(|known| passes::stream_wants_clocks(catalog, known.resource)) {
        return Ok(Vec::new());
    }
    match clocks::list(client).await {
        // A key that may not see the clocks is no reason to read nothing.
        Err(RequestError::Api(error)) if matches!(error.status, 400 | 403 | 404) => {
            let warning =
                format!("test clocks cannot be listed, so objects attached to one are not read: {error}");
            say(Message::log(LogLevel::Warn, warning));
            Ok(Vec::new())
        }
        listed => listed,
    }
}
