//! One stream while it is read: what is said about it, and when.

use std::sync::Arc;

use protocol::{Message, RawJson, StreamStatus};

use crate::passes::Pass;
use crate::stream_state::{Remaining, SETTLING, StreamState};
use crate::window::Window;

/// How many bytes of records pay for a byte of state. With many ranges open a state is larger than its share of a
/// page of small objects, and is told less often; what lies between two states is read again after an interruption.
const BYTES_PER_STATE_BYTE: usize = 8;

/// Each page pays for so many bytes of state at least.
const STATE_BYTES_PER_PAGE: usize = 1024;

/// States may be told early by so many bytes, so that a stream's first pages are remembered at once.
const STATE_BYTES_AHEAD: usize = 4096;

/// How much memory the first page of a stream is thought to take.
const FIRST_PAGE_BYTES: usize = 256 << 10;

/// Room is kept for at least this much per page, which counts what surrounds the objects.
const LEAST_PAGE_BYTES: usize = 16 << 10;

/// Pages of one stream that ask for more and are under way at the same time.
const PAGES_THAT_ASK: f64 = 4.0;

/// How much the latest page counts for the share of pages that ask for more.
const LATEST: f64 = 0.125;

/// What is known of a stream besides its plan.
#[derive(Debug)]
pub(crate) struct StreamRun {
    pub(crate) name: Arc<str>,
    pub(crate) passes: Vec<Pass>,
    /// Streams of children that are filled from this stream's pages: they share its plan and its states.
    pub(crate) followers: Vec<Follower>,
    /// Pages that were asked for and have not ended.
    under_way: usize,
    /// The share of its pages, lately, that ask for more: the rows under their objects, or the rest of nested lists.
    asks_for_more: f64,
    /// Whether rows of the stream were read before: children that are gone have to be told.
    pub(crate) again: bool,
    /// Whether only rows are told, neither how the reading goes nor where it stands: it is done over and over.
    pub(crate) quiet: bool,
    /// Why it is read, where that is not a matter of course.
    pub(crate) reason: Option<String>,
    wanted: Window,
    /// From this second on, objects may still turn up.
    settled: i64,
    started: bool,
    largest_page: Option<usize>,
    state_credit: usize,
}

/// A stream of the items of a nested list of another stream's objects.
#[derive(Debug, Clone)]
pub(crate) struct Follower {
    pub(crate) name: Arc<str>,
    pub(crate) property: Arc<str>,
}

impl StreamRun {
    /// A stream of which `wanted` is to be read, beginning at the second `now`.
    pub(crate) fn new(name: Arc<str>, passes: Vec<Pass>, wanted: Window, now: i64) -> StreamRun {
        StreamRun {
            name,
            passes,
            followers: Vec::new(),
            under_way: 0,
            asks_for_more: 0.0,
            again: false,
            quiet: false,
            reason: None,
            wanted,
            settled: now - SETTLING,
            started: false,
            largest_page: None,
            state_credit: STATE_BYTES_AHEAD,
        }
    }

    /// A page is asked for. `lists_under` says that its objects will be asked for their children.
    pub(crate) fn begin_page(&mut self, lists_under: bool) {
        self.under_way += 1;
        if lists_under {
            self.asks_for_more = 1.0;
        }
    }

    /// A page has ended. `asked_for_more` says that it took further requests.
    pub(crate) fn end_page(&mut self, asked_for_more: bool) {
        self.under_way -= 1;
        self.asks_for_more += LATEST * (f64::from(u8::from(asked_for_more)) - self.asks_for_more);
    }

    /// Whether no page should be asked for until one ends: each waits, in memory, for the requests that it takes,
    /// and a few give the limiter enough to do.
    pub(crate) fn has_enough_under_way(&self) -> bool {
        self.under_way as f64 * self.asks_for_more >= PAGES_THAT_ASK
    }

    /// The stream and those that follow it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.name).chain(self.followers.iter().map(|follower| &follower.name))
    }

    /// The status of the stream and of those that follow it.
    pub(crate) fn status(&self, status: &StreamStatus) -> Vec<Message> {
        if self.quiet {
            return Vec::new();
        }
        self.names().map(|name| Message::stream_status(name, status.clone())).collect()
    }

    /// The `start` of the streams, the first time.
    pub(crate) fn start(&mut self) -> Vec<Message> {
        if std::mem::replace(&mut self.started, true) {
            return Vec::new();
        }
        let time_range = Some(protocol::Range::from(self.wanted).into());
        self.status(&StreamStatus::Start { time_range, reason: self.reason.clone() })
    }

    /// How much memory the next page is thought to take.
    pub(crate) fn page_bytes(&self) -> usize {
        self.largest_page.unwrap_or(FIRST_PAGE_BYTES).max(LEAST_PAGE_BYTES)
    }

    /// The seconds that are wanted.
    pub(crate) fn wanted(&self) -> Window {
        self.wanted
    }

    /// What to say after the records of a page, given what was `left` to read right after it arrived, and whether nothing
    /// is left to ask for.
    pub(crate) fn after_page(
        &mut self,
        left: Vec<Remaining>,
        is_done: bool,
        bytes: usize,
        completed: Option<Window>,
    ) -> Result<Vec<Message>, protocol::RawJsonError> {
        if bytes > 0 {
            self.largest_page = Some(self.largest_page.unwrap_or(0).max(bytes));
        }
        let mut after = Vec::new();
        if let Some(part) = completed {
            after.extend(self.status(&StreamStatus::RangeComplete { range_complete: part.into() }));
        }
        if self.quiet {
            return Ok(after);
        }
        self.state_credit += (bytes / BYTES_PER_STATE_BYTE).max(STATE_BYTES_PER_PAGE);
        let state = self.state(left)?;
        if is_done || state.len() <= self.state_credit {
            self.state_credit = self.state_credit.saturating_sub(state.len()).min(16 * STATE_BYTES_PER_PAGE);
            after.extend(self.names().map(|name| Message::stream_state(name, state.clone())));
        }
        if is_done {
            after.extend(self.status(&StreamStatus::Complete));
        }
        Ok(after)
    }

    fn state(&self, remaining: Vec<Remaining>) -> Result<RawJson, protocol::RawJsonError> {
        let state = StreamState { accounted: self.wanted, remaining };
        state.settled(self.settled).write()
    }
}
