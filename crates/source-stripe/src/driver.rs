//! The loop that reads all streams of one read.

mod lending;

use std::sync::Arc;

use protocol::{ConnectionStatus, ConnectorError, LogLevel, Message, StreamStatus, Sweep, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::account;
use crate::brought::{Brought, bring};
use crate::children::{Arrived, ChildRows, Reading, sweep_message};
use crate::client::Client;
use crate::delivery::{Delivered, Delivery, Sender};
use crate::failure::RequestError;
use crate::landmarks;
use crate::lane::StreamRun;
use crate::limit::Admission;
use crate::meter::RequestMeter;
use crate::page::{Page, Shape};
use crate::plan::{Lane, Pick, Request, pick};
use crate::room::{Reserved, Room};
use crate::verdict;
use crate::window::Window;

use lending::Loan;
pub(crate) use lending::{Lent, first_shared};

/// Memory for pages between Stripe and the consumer at the default rate of a live account, and the most at any rate:
/// the faster pages may be asked for, the more of them are under way.
const PAGE_MEMORY: usize = 5 << 20;
const MOST_PAGE_MEMORY: usize = 32 << 20;

/// Requests per second that [`PAGE_MEMORY`] is for.
const PAGE_MEMORY_RATE: f64 = 80.0;

/// Memory for pages at a rate of so many requests per second.
pub(crate) fn page_memory(rate: f64) -> usize {
    // A cast saturates.
    let bytes = (PAGE_MEMORY as f64 * rate / PAGE_MEMORY_RATE) as usize;
    bytes.clamp(PAGE_MEMORY, MOST_PAGE_MEMORY)
}

/// All streams of a read, and what they share.
pub(crate) struct Driver {
    client: Arc<Client>,
    meter: Arc<RequestMeter>,
    account_id: Arc<str>,
    sender: Sender,
    room: Arc<Room>,
    lanes: Vec<Lane>,
    streams: Vec<StreamRun>,
    /// Streams that others are filled from in part.
    loans: Vec<Loan>,
    /// The lane served last.
    last: usize,
    /// Whether Stripe has answered anything but 401.
    key_is_good: bool,
    /// Whether rows are as new as the answers that show them, even if they say that they changed before.
    pub(crate) as_answered: bool,
    under_way: JoinSet<Fetched>,
    /// Children that were read under their parents.
    arrived: mpsc::UnboundedReceiver<Arrived>,
    arrives: mpsc::UnboundedSender<Arrived>,
    /// Streams that did not end well.
    ends: Vec<(Arc<str>, StreamStatus)>,
}

/// A request's end.
struct Fetched {
    lane: usize,
    request: Request,
    /// Whether more was asked for than the stream's own objects are: a refusal may be about that.
    expanded: bool,
    reserved: Reserved,
    result: Result<Brought, RequestError>,
}

/// Whether what a further list was asked about, such as a test clock, no longer exists.
fn is_gone(error: &RequestError) -> bool {
    matches!(error, RequestError::Api(api) if api.is_gone())
}

fn is_skip(stream: &str, error: &RequestError) -> bool {
    matches!(verdict::of(stream, error), StreamStatus::Skip { .. })
}

/// The reading is over before its end: nobody listens, or nothing more can be read.
struct Over;

impl Driver {
    /// A driver that tells `sender` and holds as many pages as there is `room`. `key_is_good` says that the key
    /// was accepted before.
    pub(crate) fn new(
        client: Arc<Client>,
        meter: Arc<RequestMeter>,
        account_id: &str,
        sender: Sender,
        room: Arc<Room>,
        key_is_good: bool,
    ) -> Driver {
        let (arrives, arrived) = mpsc::unbounded_channel();
        Driver {
            client,
            meter,
            account_id: account_id.into(),
            sender,
            room,
            ends: Vec::new(),
            lanes: Vec::new(),
            streams: Vec::new(),
            loans: Vec::new(),
            last: 0,
            key_is_good,
            as_answered: false,
            under_way: JoinSet::new(),
            arrived,
            arrives,
        }
    }

    /// Adds a stream; answers its lane.
    pub(crate) fn add(&mut self, stream: StreamRun, planner: crate::plan::Planner) -> usize {
        let endpoints = stream.passes.iter().map(|pass| Arc::clone(&pass.path)).collect();
        self.lanes.push(Lane { planner, endpoints, open: true, paused: false });
        self.streams.push(stream);
        self.streams.len() - 1
    }

    /// Reads all streams to their ends; answers those that failed or were skipped. `None`: nobody listens any more, or
    /// nothing can be read at all.
    pub(crate) async fn run(mut self) -> Option<Vec<(Arc<str>, StreamStatus)>> {
        // Whoever drops the messages aborts this task; there is nothing to clean up.
        let read = self.read_all().await;
        self.meter.expects(0);
        read.ok().map(|()| self.ends)
    }

    async fn read_all(&mut self) -> Result<(), Over> {
        self.end_those_with_nothing_to_do()?;
        loop {
            // Registered before picking, so that no change in between is missed.
            let client = Arc::clone(&self.client);
            let room = Arc::clone(&self.room);
            let gate_changed = client.gate().changed();
            let room_changed = room.changed();
            let wake = self.send_what_may_be_sent()?;
            if self.under_way.is_empty() && !self.lanes.iter().any(|lane| lane.open) {
                return Ok(());
            }
            let asleep = async {
                match wake {
                    Some(at) => client.gate().sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(ended) = self.under_way.join_next() => match ended {
                    Ok(fetched) => self.take(fetched).await?,
                    Err(error) => {
                        let failed = ConnectorError::internal("reading a page failed unexpectedly").caused_by(error);
                        return self.tell(Delivery::Failed(failed)).and(Err(Over));
                    }
                },
                Some(children) = self.arrived.recv() => self.pass_on(children)?,
                () = asleep => {}
                () = gate_changed => {}
                () = room_changed => {}
            }
        }
    }

    /// A stream without anything left to read is complete, at no cost.
    fn end_those_with_nothing_to_do(&mut self) -> Result<(), Over> {
        for index in 0..self.lanes.len() {
            if self.is_done(index) {
                self.lanes[index].open = false;
                let start = self.streams[index].start();
                let complete = self.streams[index].status(&StreamStatus::Complete);
                self.say_all(start.into_iter().chain(complete))?;
            }
        }
        Ok(())
    }

    /// Sends until the limiter, the room or the streams have no more; answers when to look again.
    fn send_what_may_be_sent(&mut self) -> Result<Option<std::time::Duration>, Over> {
        loop {
            let client = Arc::clone(&self.client);
            let (lanes, streams, room, last) = (&mut self.lanes, &self.streams, &self.room, &mut self.last);
            let has_room = |lane: usize| room.has(streams[lane].page_bytes());
            let (picked, now) =
                client.gate().with(|limiter, now| (pick(lanes, limiter, last, now, has_room), now));
            match picked {
                Pick::Send(lane, request) => {
                    let pass = self.lanes[lane].endpoints[request.pass].clone();
                    let admission = client.gate().admitted(&pass, now);
                    self.send(lane, request, admission)?;
                }
                Pick::At(at) => return Ok(Some(at)),
                Pick::Nothing => return Ok(None),
            }
        }
    }

    fn send(&mut self, lane: usize, request: Request, admission: Admission) -> Result<(), Over> {
        let lent = self.lent_by(lane);
        let stream = &mut self.streams[lane];
        let mut reserved = self.room.reserve(stream.page_bytes());
        let mut pass = stream.passes[request.pass].clone();
        let on_request = lent.iter().filter(|(_, lent)| lent.on_request);
        on_request.clone().for_each(|(_, lent)| pass.expand(&lent.property));
        let expanded = on_request.count() > 0;
        let followers = stream.followers.clone();
        stream.begin_page(pass.lists_under());
        self.lanes[lane].paused = stream.has_enough_under_way();
        let start = stream.start();
        let reading = Reading {
            client: Arc::clone(&self.client),
            room: Arc::clone(&self.room),
            account_id: Arc::clone(&self.account_id),
            lane,
            at_least: self.as_answered.then_some(i64::MIN),
            sweeps: stream.again,
            arrived: self.arrives.clone(),
        };
        let fetch = async move {
            let result = bring(&reading, &pass, &request, &followers, lent, admission, &mut reserved).await;
            Fetched { lane, request, expanded, reserved, result }
        };
        self.under_way.spawn(fetch.in_current_span());
        self.say_all(start)
    }

    /// Hands on children, unless their stream has ended.
    fn pass_on(&mut self, children: Arrived) -> Result<(), Over> {
        let Arrived { lane, page, sweep, reserved } = children;
        if !self.lanes[lane].open {
            return Ok(());
        }
        let keep = page.count();
        let name = Arc::clone(&self.streams[lane].name);
        self.tell_page(&name, page, keep, reserved)?;
        self.sweep(&name, sweep)
    }

    /// Lets rows go that their parents no longer hold.
    fn sweep(&self, stream: &Arc<str>, sweeps: impl IntoIterator<Item = Sweep>) -> Result<(), Over> {
        sweeps.into_iter().try_for_each(|sweep| self.say(sweep_message(stream, &sweep)))
    }

    async fn take(&mut self, fetched: Fetched) -> Result<(), Over> {
        let Fetched { lane, request, expanded, mut reserved, result } = fetched;
        // What was read under the page's objects was sent before the page ended.
        while let Ok(children) = self.arrived.try_recv() {
            self.pass_on(children)?;
        }
        self.streams[lane].end_page(result.as_ref().is_ok_and(|brought| brought.asked_for_more));
        self.lanes[lane].paused = self.streams[lane].has_enough_under_way();
        if !self.lanes[lane].open {
            return Ok(());
        }
        let brought = match result {
            Ok(brought) => brought,
            Err(error) => return self.take_failure(lane, &request, expanded, error).await,
        };
        self.key_is_good = true;
        self.learn_landmarks(lane, &brought);
        reserved.set(brought.bytes());
        let planner = &mut self.lanes[lane].planner;
        let progress = planner.page_arrived(request.range, &brought.facts);
        let after = self.after_page(lane, brought.page_bytes, progress.completed)?;
        let open = self.lanes.iter().filter(|lane| lane.open);
        self.meter.expects(open.map(|lane| lane.planner.expected_requests()).sum());
        let names: Vec<Arc<str>> = std::iter::once(&self.streams[lane].name)
            .chain(self.streams[lane].followers.iter().map(|follower| &follower.name))
            .map(Arc::clone)
            .collect();
        for (name, rows) in names.iter().zip(brought.rows) {
            self.tell_rows(lane, name, rows, progress.keep, brought.version)?;
        }
        drop(reserved);
        self.say_all(after)?;
        self.take_lent(lane, brought.lent, progress.keep, brought.version)
    }

    /// What to say after a page of the lane; closes it when nothing is left to ask for.
    fn after_page(
        &mut self,
        lane: usize,
        bytes: usize,
        completed: Option<Window>,
    ) -> Result<Vec<Message>, Over> {
        let (left, is_done) = (self.left_of(lane), self.is_done(lane));
        self.lanes[lane].open = !is_done;
        match self.streams[lane].after_page(left, is_done, bytes, completed) {
            Ok(after) => Ok(after),
            Err(error) => {
                let failed = ConnectorError::internal("a state cannot be written").caused_by(error);
                self.tell(Delivery::Failed(failed)).and(Err(Over))
            }
        }
    }

    /// Hands on the rows of the first `keep` objects of a page.
    fn tell_rows(
        &self,
        lane: usize,
        name: &Arc<str>,
        rows: ChildRows,
        keep: usize,
        version: i64,
    ) -> Result<(), Over> {
        let of_first = rows.of_first(keep);
        let sweeps = match self.streams[lane].again {
            true => rows.sweeps(keep, &self.account_id, version),
            false => Vec::new(),
        };
        let reserved = self.room.reserve(rows.page.bytes());
        self.tell_page(name, rows.page, of_first, reserved)?;
        self.sweep(name, sweeps)
    }

    /// Lets the streams whose lists cannot be narrowed know which of their objects the page names.
    fn learn_landmarks(&mut self, lane: usize, brought: &Brought) {
        let Some(rows) = brought.rows.first() else { return };
        for (table, landmark) in landmarks::named_in(&self.streams[lane].name, &rows.page, &brought.facts) {
            let lanes = self.streams.iter().zip(&mut self.lanes);
            for (_, named) in lanes.filter(|(stream, named)| named.open && &*stream.name == table) {
                if named.planner.wants_landmarks() {
                    named.planner.add_landmark(landmark.clone());
                }
            }
        }
    }

    fn tell_page(&self, stream: &Arc<str>, page: Page, keep: usize, reserved: Reserved) -> Result<(), Over> {
        self.tell(Delivery::Page(Delivered {
            stream: Arc::clone(stream),
            page,
            keep,
            emitted_at: Timestamp::now(),
            _reserved: reserved.waits(),
        }))
    }

    async fn take_failure(
        &mut self,
        lane: usize,
        request: &Request,
        expanded: bool,
        error: RequestError,
    ) -> Result<(), Over> {
        // Only an attempt to read the list from elsewhere too: what it began after is not in it.
        if self.lanes[lane].planner.leaps(request.range) && matches!(error.status(), Some(400 | 404)) {
            self.lanes[lane].planner.abandon(request.range);
            return Ok(());
        }
        let pass = &self.streams[lane].passes[request.pass];
        if let RequestError::Api(api) = &error
            && request.cursor.is_some()
            && api.is_lost_cursor(pass.shape == Shape::V2)
            && self.lanes[lane].planner.cursor_lost(request.range)
        {
            tracing::info!(stream = %self.streams[lane].name, %error, "a cursor is gone; reading on without it");
            return Ok(());
        }
        let is_gone = pass.label.is_some() && is_gone(&error);
        if expanded && !is_gone && matches!(error.status(), Some(400 | 403 | 404)) {
            // What is asked for in addition may be what is refused.
            tracing::info!(stream = %self.streams[lane].name, %error, "asked for too much; reading on without what others need");
            self.call_in(lane);
            self.lanes[lane].planner.ask_again(request.range);
            return Ok(());
        }
        if is_gone || (pass.label.is_some() && is_skip(&self.streams[lane].name, &error)) {
            return self.leave_out(lane, request, &error);
        }
        if error.status() == Some(401) && !self.key_is_good {
            self.ask_whether_the_key_is_good().await?;
        }
        self.key_is_good |= error.status().is_some_and(|status| status != 401);
        self.end_badly(lane, &error)
    }

    /// The stream of the lane, and those that follow it, end with the error.
    fn end_badly(&mut self, lane: usize, error: &RequestError) -> Result<(), Over> {
        self.call_in(lane);
        self.lanes[lane].open = false;
        let status = verdict::of(&self.streams[lane].name, error);
        let streams = self.streams[lane].names().map(|name| (Arc::clone(name), status.clone()));
        self.ends.extend(streams);
        self.say_all(self.streams[lane].status(&status))
    }

    /// One of a stream's further lists is gone or refused: the stream goes on without it.
    fn leave_out(&mut self, lane: usize, request: &Request, error: &RequestError) -> Result<(), Over> {
        let name = &self.streams[lane].name;
        if !is_gone(error) {
            let warning = format!("{name}: some objects are left out, because a list is refused: {error}");
            self.say(Message::log(LogLevel::Warn, warning))?;
        }
        self.lanes[lane].planner.abandon(request.range);
        let after = self.after_page(lane, 0, None)?;
        self.say_all(after)?;
        self.settle_loans(lane)
    }

    /// One list answers 401 and nothing was answered otherwise yet: `/v1/account` decides whether it is
    /// the key, which fails the whole read once, or only that list.
    async fn ask_whether_the_key_is_good(&mut self) -> Result<(), Over> {
        match account::look_up(&self.client).await {
            Err(error) if error.status() == Some(401) => {
                let sentence = account::explain(&error).to_string();
                self.say(Message::connection_status(ConnectionStatus::failed(sentence))).and(Err(Over))
            }
            Err(RequestError::NoAnswer(_)) => Ok(()),
            _ => {
                self.key_is_good = true;
                Ok(())
            }
        }
    }

    fn say_all(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), Over> {
        messages.into_iter().try_for_each(|message| self.say(message))
    }

    fn say(&self, message: Message) -> Result<(), Over> {
        self.tell(Delivery::Message(message))
    }

    fn tell(&self, delivery: Delivery) -> Result<(), Over> {
        self.sender.send(delivery).map_err(|_| Over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_for_pages_depends_on_the_rate_alone() {
        assert_eq!(page_memory(20.0), PAGE_MEMORY);
        assert_eq!(page_memory(80.0), PAGE_MEMORY);
        assert_eq!(page_memory(160.0), 2 * PAGE_MEMORY);
        assert_eq!(page_memory(1e9), MOST_PAGE_MEMORY);
    }
}
