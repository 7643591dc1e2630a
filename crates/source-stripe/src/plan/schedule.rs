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

/// Picks the next request. Lanes take turns, beginning after the one served last. Only when no range that
/// waits may be asked for, and yet the limiter would let a request through, is one split: of all lanes
/// the one that gains most by it.
pub(crate) fn pick(
    lanes: &mut [Lane],
    limiter: &mut Limiter,
    last: &mut usize,
    now: Duration,
    has_room: impl Fn(usize) -> bool,
) -> Pick {
    let mut soonest: Option<Duration> = None;
    let mut waits_for_room = false;
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
    if !waits_for_room && let Some(index) = heaviest(lanes, limiter, now, &has_room, &mut soonest) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::plan::{PageFacts, Part};
    use crate::window::Window;

    const WINDOW: Window = Window { gte: 0, lt: 1_000_000 };

    fn lane(path: &str) -> Lane {
        let part =
            Part { pass: 0, label: None, window: WINDOW, cursor: None, windowed: true, stop_below: None };
        let planner = Planner::new(vec![part], 100, None);
        Lane { planner, endpoints: vec![path.into()], open: true, paused: false }
    }

    fn arrive(lane: &mut Lane, request: &Request) {
        let created: Vec<i64> = (0..100).map(|back| request.window.lt - 1 - back).collect();
        let page = PageFacts { count: 100, created: Some(created), hints: None, next: Some("x".to_owned()) };
        lane.planner.page_arrived(request.range, &page);
    }

    fn sent(picked: Pick) -> (usize, Request) {
        match picked {
            Pick::Send(lane, request) => (lane, request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lanes_take_turns_and_none_is_split_while_another_waits() {
        let mut lanes = [lane("/v1/a"), lane("/v1/b"), lane("/v1/c")];
        let limits = Limits { account_rate: 1000.0, endpoint_rate: 1000.0, in_flight: 100 };
        let mut limiter = Limiter::new(limits, Duration::ZERO);
        let mut last = 2;
        for expected in [0, 1, 2] {
            assert_eq!(sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |_| true)).0, expected);
        }
        // Before any density is known nothing is split.
        assert_eq!(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |_| true), Pick::Nothing);
    }

    #[test]
    fn a_lane_that_waits_for_its_endpoint_does_not_keep_others_from_splitting() {
        let mut lanes = [lane("/v1/a"), lane("/v1/b")];
        let limits = Limits { account_rate: 1000.0, endpoint_rate: 5.0, in_flight: 100 };
        let mut limiter = Limiter::new(limits, Duration::ZERO);
        let mut last = 1;
        let now = Duration::ZERO;
        let (_, first) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
        arrive(&mut lanes[0], &first);
        // The first lane has a range waiting, but its endpoint has had its share.
        let (second, request) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
        assert_eq!(second, 1);
        arrive(&mut lanes[1], &request);
        assert!(matches!(pick(&mut lanes, &mut limiter, &mut last, now, |_| true), Pick::At(_)));
        // Later both endpoints have a token: the second lane's goes to its waiting range, then it splits.
        let now = Duration::from_millis(250);
        let mut served: Vec<usize> = Vec::new();
        while let Pick::Send(lane, _) = pick(&mut lanes, &mut limiter, &mut last, now, |_| true) {
            served.push(lane);
        }
        assert_eq!(served, [0, 1]);
        let now = Duration::from_millis(500);
        let (split, _) = sent(pick(&mut lanes, &mut limiter, &mut last, now, |_| true));
        assert_eq!(lanes[split].planner.remaining().len(), 2);
    }

    #[test]
    fn nothing_is_split_for_want_of_memory() {
        let mut lanes = [lane("/v1/a"), lane("/v1/b")];
        let limits = Limits { account_rate: 1000.0, endpoint_rate: 1000.0, in_flight: 100 };
        let mut limiter = Limiter::new(limits, Duration::ZERO);
        let mut last = 1;
        let (_, first) = sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |lane| lane == 0));
        arrive(&mut lanes[0], &first);
        let (_, again) = sent(pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |lane| lane == 0));
        assert_eq!(again.range, first.range);
        assert_eq!(
            pick(&mut lanes, &mut limiter, &mut last, Duration::ZERO, |lane| lane == 0),
            Pick::Nothing
        );
        assert_eq!(lanes[0].planner.remaining().len(), 1);
    }
}
