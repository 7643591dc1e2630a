//! Which stream may send its next request, over all streams of a read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::planner::{Planner, Request};
use crate::limit::{Limiter, Refused};

/// One stream as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) planner: Planner,
    /// The path of each of the stream's lists, which Stripe limits one by one.
    pub(crate) endpoints: Vec<Arc<str>>,
    /// Whether the stream is still being read.
    pub(crate) open: bool,
    /// Whether what was asked for has to be worked off first.
    pub(crate) paused: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Send this request of this lane; the limiter has counted it.
    Send(usize, Request),
    /// Nothing may be sent before that time, if nothing else happens.
    At(Duration),
    /// Nothing can be sent until a page arrives or room is made.
    Nothing,
}

/// A list is urgent when it alone, asked as fast as one list may be, takes this share of the time that all together
/// take yet: in turn with the others it would be left alone at the end, at less than the account's rate.
const URGENT: f64 = 0.6;

/// Picks the next request. Lanes take turns, beginning after the one served last; those of an [urgent](URGENT)
/// list come before the others. Only when no range that waits may be asked for, and yet the limiter would let a request
/// through, is one split: of all lanes the one that gains most by it.
pub(crate) fn pick(
    lanes: &mut [Lane],
    limiter: &mut Limiter,
    last: &mut usize,
    now: Duration,
    has_room: impl Fn(usize) -> bool,
) -> Pick {
    let mut soonest: Option<Duration> = None;
    let mut waits_for_room = false;
    if let Some(index) = most_urgent(lanes, limiter)
        && let Some(endpoint) = lanes[index].next_endpoint()
    {
        match limiter.would_admit(endpoint, now) {
            Ok(()) if !has_room(index) => waits_for_room = true,
            Ok(()) => {
                if let Some(request) = lanes[index].send_or_split(limiter, now) {
                    return Pick::Send(index, request);
                }
            }
            Err(Refused::Until(at)) => soonest = Some(at),
            Err(Refused::Busy) => {}
        }
    }
    for step in 1..=lanes.len() {
        let index = (*last + step) % lanes.len();
        let lane = &mut lanes[index];
        let Some(pass) = lane.idle_pass() else { continue };
        if !has_room(index) {
            waits_for_room = true;
            continue;
        }
        match limiter.admit(&lane.endpoints[pass], now) {
            Ok(()) => {
                *last = index;
                if let Some(request) = lane.planner.next_request() {
                    return Pick::Send(index, request);
                }
            }
            Err(Refused::Until(at)) => soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
            Err(Refused::Busy) => {}
        }
    }
    if !waits_for_room
        && let Some(index) = heaviest(lanes, limiter, now, &has_room, &mut soonest)
        && let Some(request) = lanes[index].send_or_split(limiter, now)
    {
        return Pick::Send(index, request);
    }
    soonest.map_or(Pick::Nothing, Pick::At)
}

/// Of the lanes that ask the list which takes the longest, if it is [urgent](URGENT), the one with the most to ask.
fn most_urgent(lanes: &[Lane], limiter: &Limiter) -> Option<usize> {
    let (of_one, of_account) = (limiter.endpoint_rate(), limiter.rate());
    // Where one list alone may take the whole rate, none can be left alone below it.
    if of_one >= of_account {
        return None;
    }
    let mut asked: BTreeMap<&str, Asked> = BTreeMap::new();
    for lane in lanes.iter().filter(|lane| lane.open) {
        asked.entry(lane.endpoints.first()?).or_default().add(&lane.planner);
    }
    let of_all: f64 = asked.values().map(Asked::requests).sum();
    let most = asked.iter().map(|(endpoint, asked)| (*endpoint, asked.requests()));
    let (endpoint, most) = most.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if most / of_one < URGENT * of_all / of_account {
        return None;
    }
    let asks = |lane: &Lane| lane.endpoints.first().is_some_and(|first| &**first == endpoint);
    let able = lanes.iter().enumerate().filter(|(_, lane)| asks(lane) && lane.next_endpoint().is_some());
    able.max_by_key(|(_, lane)| lane.planner.expected_requests()).map(|(index, _)| index)
}

/// What the lanes that read one list ask of it.
#[derive(Debug, Default)]
struct Asked {
    lanes: f64,
    /// Pages of the list, as the lane that saw most of it believes.
    pages: f64,
    /// Pages that were read, by all lanes.
    read: f64,
}

impl Asked {
    fn add(&mut self, planner: &Planner) {
        let read = planner.pages_read();
        self.lanes += 1.0;
        self.pages = self.pages.max(read + planner.expected_requests() as f64);
        self.read += read;
    }

    /// Requests that are left. The list is as long for one lane as for the others.
    fn requests(&self) -> f64 {
        self.lanes * self.pages - self.read
    }
}

/// The lane whose best split is worth most, among those that could send a request at once.
fn heaviest(
    lanes: &[Lane],
    limiter: &mut Limiter,
    now: Duration,
    has_room: impl Fn(usize) -> bool,
    soonest: &mut Option<Duration>,
) -> Option<usize> {
    let mut heaviest = None;
    for (index, lane) in lanes.iter().enumerate().filter(|(_, lane)| lane.open && !lane.paused) {
        let Some(weight) = lane.planner.split_weight() else { continue };
        let Some(endpoint) = lane.endpoints.first() else { continue };
        match limiter.would_admit(endpoint, now) {
            Ok(()) if has_room(index) && heaviest.is_none_or(|(_, best)| weight > best) => {
                heaviest = Some((index, weight));
            }
            Err(Refused::Until(at)) => *soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
            _ => {}
        }
    }
    heaviest.map(|(index, _)| index)
}

impl Lane {
    /// The list that the next request of this lane would ask.
    fn idle_pass(&self) -> Option<usize> {
        if self.open && !self.paused { self.planner.idle_pass() } else { None }
    }

    /// The endpoint of the next request of this lane, which may have to split a range for it.
    fn next_endpoint(&self) -> Option<&Arc<str>> {
        let may_ask = self.open && !self.paused;
        match self.planner.idle_pass() {
            _ if !may_ask => None,
            Some(pass) => self.endpoints.get(pass),
            None => self.planner.split_weight().and_then(|_| self.endpoints.first()),
        }
    }

    /// The next request of this lane, counted by the limiter; where no range waits, one is split.
    fn send_or_split(&mut self, limiter: &mut Limiter, now: Duration) -> Option<Request> {
        if self.idle_pass().is_none() && !self.planner.split() {
            return None;
        }
        limiter.admit(&self.endpoints[self.idle_pass()?], now).ok()?;
        self.planner.next_request()
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
