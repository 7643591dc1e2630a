//! The streams of one read: what fills them, and reading their lists, once or again.

use std::sync::Arc;

use protocol::{ConfiguredCatalog, ConfiguredStream, LogLevel, Message, SourceState, StreamStatus};
use stripe_openapi::{Catalog, Resource};

use crate::account::Account;
use crate::children::{self, Feed};
use crate::client::Client;
use crate::clocks;
use crate::config::StripeConfig;
use crate::current::{Due, Missed};
use crate::delivery::{Delivery, Sender};
use crate::driver::{self, Driver, Lent};
use crate::failure::RequestError;
use crate::hydrate;
use crate::lane::{Follower, StreamRun};
use crate::meter::RequestMeter;
use crate::passes::{self, Pass};
use crate::plan::Planner;
use crate::room::Room;
use crate::stream_state::{Remaining, StreamState};
use crate::verdict;
use crate::window::Window;

/// How a stream ended that did not end well.
pub(crate) type Ends = Vec<(Arc<str>, StreamStatus)>;

/// A configured stream and what it is filled with.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) configured: &'a ConfiguredStream,
    pub(crate) resource: &'a Resource,
}

impl Known<'_> {
    /// Whether events tell of changes to its rows, or to the rows that hold them.
    fn is_kept_by_events(&self) -> bool {
        self.resource.supports_realtime() || self.resource.list.is_none()
    }

    /// Whether events that tell of changes to its rows were missed.
    pub(crate) fn is_missed(&self, missed: &Missed) -> bool {
        self.is_kept_by_events() && missed.has(&self.configured.stream.name)
    }
}

/// The streams of a read and what they share.
pub(crate) struct Streams<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) config: &'a StripeConfig,
    pub(crate) known: Vec<Known<'a>>,
    pub(crate) account: Account,
    pub(crate) client: Arc<Client>,
    pub(crate) meter: Arc<RequestMeter>,
    pub(crate) sender: Sender,
    pub(crate) room: Arc<Room>,
    /// Whether Stripe has accepted the key.
    pub(crate) key_is_good: bool,
    /// Whether rows are as new as the answers that show them, even if they say that they changed before.
    pub(crate) as_answered: bool,
    clocks: Result<Vec<String>, RequestError>,
}

/// How a stream is read.
enum Place {
    /// From pages of its own, which fill these streams too.
    Leads(Vec<Follower>),
    /// From the pages of another stream.
    Follows,
}

/// The streams that were asked for, and the names of those that do not exist.
pub(crate) fn sort<'a>(
    catalog: &'a Catalog,
    wanted: &'a ConfiguredCatalog,
) -> (Vec<Known<'a>>, Vec<&'a Arc<str>>) {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for configured in &wanted.streams {
        let found = catalog.resource(&configured.stream.name);
        match found.filter(|resource| children::can_be_filled(catalog, resource)) {
            Some(resource) => known.push(Known { configured, resource }),
            None => unknown.push(&configured.stream.name),
        }
    }
    (known, unknown)
}

impl<'a> Streams<'a> {
    /// The streams `known`, read by `client`.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that all streams share")]
    pub(crate) fn new(
        catalog: &'a Catalog,
        config: &'a StripeConfig,
        known: Vec<Known<'a>>,
        account: Account,
        client: Arc<Client>,
        meter: Arc<RequestMeter>,
        sender: Sender,
        room: Arc<Room>,
        key_is_good: bool,
    ) -> Streams<'a> {
        let (clocks, as_answered) = (Ok(Vec::new()), false);
        Streams {
            catalog,
            config,
            known,
            account,
            client,
            meter,
            sender,
            room,
            key_is_good,
            as_answered,
            clocks,
        }
    }

    /// Nobody listens any more if saying fails; the task is then aborted.
    pub(crate) fn say(&self, message: Message) {
        let _ = self.sender.send(Delivery::Message(message));
    }

    /// Looks for the test clocks of the account, if some stream needs them.
    pub(crate) async fn find_clocks(&mut self) {
        let exists =
            self.catalog.resource("test_helpers_test_clock").is_some_and(|clock| clock.list.is_some());
        let wants = |known: &Known<'_>| passes::stream_wants_clocks(self.catalog, known.resource);
        if !exists || !self.known.iter().any(wants) {
            return;
        }
        self.clocks = match clocks::list(&self.client).await {
            // A key that may not see the clocks is no reason to read nothing.
            Err(RequestError::Api(error)) if matches!(error.status, 400 | 403 | 404) => {
                let warning =
                    format!("test clocks cannot be listed, so objects attached to one are not read: {error}");
                self.say(Message::log(LogLevel::Warn, warning));
                Ok(Vec::new())
            }
            listed => listed,
        };
    }

    /// What a stream can hold at `now`.
    pub(crate) fn window(&self, known: &Known<'_>, now: i64) -> Window {
        // Connected accounts may be older than the account they are connected to.
        let began = self.account.created.filter(|_| !children::lists_accounts(self.catalog, known.resource));
        Window::wanted(known.configured.time_range.as_ref(), began, now)
    }

    /// Reads what is left of all streams, given what is remembered of each. `again` says why a stream is read anew whose
    /// rows were read before.
    pub(crate) async fn backfill(
        &self,
        states: &[Option<StreamState>],
        again: &[Option<String>],
        now: i64,
    ) -> Option<Ends> {
        let mut driver = self.driver();
        let going_on = passes::goes_on(states, now);
        let following = self.follow(states);
        let mut ends = Ends::new();
        let lenders = self.lenders(states);
        let mut lanes: Vec<Option<usize>> = vec![None; self.known.len()];
        let mut borrowed = Vec::new();
        for (index, (known, state)) in self.known.iter().zip(states).enumerate() {
            let Place::Leads(followers) = &following[index] else { continue };
            let name = Arc::clone(&known.configured.stream.name);
            let passes = match self.passes(known) {
                Ok(passes) => passes,
                Err(status) => {
                    for name in std::iter::once(&name).chain(followers.iter().map(|follower| &follower.name))
                    {
                        self.say(Message::stream_status(name, status.clone()));
                        ends.push((Arc::clone(name), status.clone()));
                    }
                    continue;
                }
            };
            let mut wanted = self.window(known, now);
            if going_on {
                wanted = passes::window_going_on(&passes, state.as_ref(), wanted);
            }
            let mut parts = passes::parts(&passes, state.as_ref(), wanted, going_on);
            if let Some((lender, lent)) = &lenders[index]
                && let Place::Leads(_) = &following[*lender]
                && let Ok(shown) = self.passes(&self.known[*lender])
                && let Some(first) = driver::first_shared(&shown, &passes)
            {
                parts.retain(|part| part.pass < first);
                borrowed.push((*lender, index, lent.clone(), first));
            }
            let limit = known.configured.backfill_limit;
            let limit = limit.or(self.config.backfill_limit.map(std::num::NonZeroU64::get));
            let page_size = passes.first().map_or(100, Pass::page_size);
            // New parents have no children that could be gone.
            let whole = passes.first().is_some_and(|pass| !pass.bounded);
            let mut run = StreamRun::new(name, passes, wanted, now);
            run.again = again[index].is_some() || (whole && state.is_some());
            run.reason.clone_from(&again[index]);
            run.followers = followers.clone();
            lanes[index] = Some(driver.add(run, Planner::new(parts, page_size, limit)));
        }
        for (lender, borrower, lent, first) in borrowed {
            // Both have lanes: they lead, and their lists are known.
            if let (Some(from), Some(to)) = (lanes[lender], lanes[borrower]) {
                driver.lend(from, to, lent, first);
            }
        }
        ends.extend(driver.run().await?);
        Some(ends)
    }

    /// Reads parts of some streams again, and tells their rows only.
    pub(crate) async fn again(&self, due: &[(usize, Due)], now: i64) -> Option<Ends> {
        let mut driver = self.driver();
        let whole: Vec<Option<StreamState>> = vec![None; self.known.len()];
        let following = self.follow(&whole);
        for (index, due) in due {
            let known = &self.known[*index];
            let Ok(passes) = self.passes(known) else { continue };
            let wanted = due.window(self.window(known, now), now);
            let mut parts = passes::parts(&passes, None, wanted, false);
            if !due.is_whole() {
                // What cannot be narrowed is left to the times when all is read.
                parts.retain(|part| passes[part.pass].bounded);
            }
            let page_size = passes.first().map_or(100, Pass::page_size);
            let mut run = StreamRun::new(Arc::clone(&known.configured.stream.name), passes, wanted, now);
            (run.again, run.quiet) = (true, true);
            if let Place::Leads(followers) = &following[*index] {
                run.followers = followers.clone();
            }
            driver.add(run, Planner::new(parts, page_size, None));
        }
        driver.run().await
    }

    fn driver(&self) -> Driver {
        let (client, meter, room) =
            (Arc::clone(&self.client), Arc::clone(&self.meter), Arc::clone(&self.room));
        let sender = self.sender.clone();
        let mut driver = Driver::new(client, meter, &self.account.id, sender, room, self.key_is_good);
        driver.as_answered = self.as_answered;
        driver
    }

    /// The lists of a stream, or how it ends because they cannot be known.
    fn passes(&self, known: &Known<'_>) -> Result<Vec<Pass>, StreamStatus> {
        let clocks = match &self.clocks {
            Ok(clocks) => clocks.as_slice(),
            Err(error) if passes::stream_wants_clocks(self.catalog, known.resource) => {
                return Err(verdict::of(&known.configured.stream.name, error));
            }
            Err(_) => &[],
        };
        let mut passes = passes::of_stream(self.catalog, known.resource, clocks);
        let own = passes.iter_mut().filter(|pass| pass.feed.is_none());
        own.for_each(|pass| {
            hydrate::fields_of(&self.config.hydrate, &known.resource.table)
                .for_each(|field| pass.expand(field));
        });
        if !self.config.follows_events() {
            // Nothing else tells of rows that come under parents which were read before.
            passes.iter_mut().filter(|pass| pass.label.is_some()).for_each(Pass::unbind);
        }
        Ok(passes)
    }

    /// Streams whose rows lie in the objects of another stream are read with it, at no cost, where both have to
    /// read the same.
    fn follow(&self, states: &[Option<StreamState>]) -> Vec<Place> {
        let known = &self.known;
        let mut places: Vec<Place> = known.iter().map(|_| Place::Leads(Vec::new())).collect();
        for (index, child) in known.iter().enumerate() {
            let Some((parent, property)) = children::within(self.catalog, child.resource) else { continue };
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

    /// For each stream, the one whose pages can bring the rows that are not in its own list, and how: where the two are
    /// read for the first time, and whole.
    fn lenders(&self, states: &[Option<StreamState>]) -> Vec<Option<(usize, Lent)>> {
        let is_whole = |index: usize| {
            let limit = self.known[index].configured.backfill_limit;
            states[index].is_none() && limit.is_none() && self.config.backfill_limit.is_none()
        };
        let lender = |(index, known): (usize, &Known<'_>)| {
            let (parent, feed) = children::shown_by(self.catalog, known.resource)?;
            let Feed::Nested { property, on_request, names_parent } = feed else { return None };
            let mut fields = hydrate::fields_of(&self.config.hydrate, parent);
            let lender = self.known.iter().position(|other| other.resource.table == parent)?;
            let same_time = known.configured.time_range == self.known[lender].configured.time_range;
            let is_plain = !fields.any(|field| field.split('.').next() == Some(&*property));
            let lends = is_whole(index) && is_whole(lender) && same_time && is_plain;
            lends.then_some((lender, Lent { property, on_request, names_parent }))
        };
        self.known.iter().enumerate().map(lender).collect()
    }

    /// What was remembered of each stream; nothing where it was never read, or where that is not understood.
    pub(crate) fn remembered(&self, state: Option<&SourceState>) -> Vec<Option<StreamState>> {
        let of_stream = |known: &Known<'_>| {
            let name = &known.configured.stream.name;
            let states = &state?.streams;
            let data = states.get(&**name).filter(|data| data.as_bytes() != b"null")?;
            match StreamState::read(data) {
                Ok(state) => Some(state),
                Err(problem) => {
                    let warning = format!(
                        "{name}: the stored state cannot be read, so the stream is read anew: {problem}"
                    );
                    self.say(Message::log(LogLevel::Warn, warning));
                    None
                }
            }
        };
        self.known.iter().map(of_stream).collect()
    }

    /// The streams that events keep current, of those whose index `is_wanted`.
    pub(crate) fn kept_by_events(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<Arc<str>> {
        let kept = self
            .known
            .iter()
            .enumerate()
            .filter(|(index, known)| known.is_kept_by_events() && is_wanted(*index));
        kept.map(|(_, known)| Arc::clone(&known.configured.stream.name)).collect()
    }

    /// Forgets what was read of streams for which there is a `why`, and says so in their states before anything else, so
    /// that an interruption does not undo it. Answers why for each of them.
    pub(crate) fn forget(
        &self,
        states: &mut [Option<StreamState>],
        now: i64,
        why: impl Fn(&Known<'_>) -> Option<String>,
    ) -> Result<Vec<Option<String>>, protocol::RawJsonError> {
        let mut forgotten = vec![None; states.len()];
        for (index, known) in self.known.iter().enumerate() {
            let Some(why) = why(known).filter(|_| states[index].is_some()) else { continue };
            let accounted = self.window(known, now);
            let all =
                StreamState { accounted, remaining: vec![Remaining { window: accounted, cursor: None }] };
            self.say(Message::stream_state(&known.configured.stream.name, all.write()?));
            states[index] = None;
            forgotten[index] = Some(why);
        }
        Ok(forgotten)
    }
}
