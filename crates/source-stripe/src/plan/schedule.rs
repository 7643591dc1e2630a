//! Which stream may send its next request, over all streams of a read.

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

/// Picks the next request. Lanes take turns, beginning after the one served last; only when no lane has
/// a range waiting is one split, and of all lanes the one that gains most by it.
pub(crate) fn pick(
    lanes: &mut [Lane],
    limiter: &mut Limiter,
    last: &mut usize,
    now: Duration,
    has_room: impl Fn(usize) -> bool,
) -> Pick {
    let mut soonest: Option<Duration> = None;
    let mut any_idle = false;
    for step in 1..=lanes.len() {
        let index = (*last + step) % lanes.len();
        let lane = &mut lanes[index];
        let Some(pass) = lane.idle_pass() else { continue };
        any_idle = true;
        if !has_room(index) {
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
    if !any_idle && let Some(index) = heaviest(lanes, limiter, now, &has_room, &mut soonest) {
        let lane = &mut lanes[index];
        if lane.planner.split()
            && let Some(pass) = lane.idle_pass()
            && limiter.admit(&lane.endpoints[pass], now).is_ok()
            && let Some(request) = lane.planner.next_request()
        {
            return Pick::Send(index, request);
        }
    }
    soonest.map_or(Pick::Nothing, Pick::At)
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
    for (index, lane) in lanes.iter().enumerate().filter(|(_, lane)| lane.open) {
        let Some(weight) = lane.planner.split_weight() else { continue };
        let Some(endpoint) = lane.endpoints.first() else { continue };
        match limiter.would_admit(endpoint, now) {
            Ok(()) if has_room(index) => {
                if heaviest.is_none_or(|(_, best)| weight > best) {
                    heaviest = Some((index, weight));
                }
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
        if self.open { self.planner.idle_pass() } else { None }
    }
}
