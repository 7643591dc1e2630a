//! A model of Stripe's lists and of time, to run planner and limiter against without any I/O.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::planner::{PageFacts, Part, Planner, Request};
use super::schedule::{Lane, Pick, pick};
use crate::limit::{Answer, Limiter, Limits};
use crate::stream_state::Remaining;
use crate::window::Window;

/// A small generator of evenly spread numbers: the same seed, the same run.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not including 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn below(&mut self, bound: i64) -> i64 {
        (self.share() * bound as f64) as i64
    }
}

/// One list: the `created` of each object, newest first. An object's id is its index.
pub(super) struct World {
    created: Vec<i64>,
    /// Objects do not say when they were created, but something else that is off by so much.
    off: Option<i64>,
}

impl World {
    pub(super) fn new(mut created: Vec<i64>) -> World {
        created.sort_unstable_by_key(|&at| Reverse(at));
        World { created, off: None }
    }

    /// The same list, of objects that say only about when they were created, so many seconds off.
    pub(super) fn hinting(self, off: i64) -> World {
        World { off: Some(off), ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.created.len()
    }

    /// The ids that a request is answered with, and the facts of the page.
    pub(super) fn list(&self, request: &Request) -> (Vec<usize>, PageFacts) {
        self.list_within(request.window, request)
    }

    /// The same of a list that cannot be narrowed.
    pub(super) fn list_all(&self, request: &Request) -> (Vec<usize>, PageFacts) {
        self.list_within(Window::new(i64::MIN, i64::MAX), request)
    }

    fn list_within(&self, window: Window, request: &Request) -> (Vec<usize>, PageFacts) {
        let begin = self.created.partition_point(|&at| at >= window.lt);
        let end = self.created.partition_point(|&at| at >= window.gte);
        let after = request.cursor.as_ref().map_or(0, |cursor| cursor.parse::<usize>().unwrap() + 1);
        let begin = begin.max(after).min(end);
        let stop = (begin + request.limit).min(end);
        let ids: Vec<usize> = (begin..stop).collect();
        let times = self.created[begin..stop].to_vec();
        let (created, hints) = match self.off {
            None => (Some(times), None),
            Some(off) => (None, Some(times.into_iter().map(|time| time + off).collect())),
        };
        let facts = PageFacts {
            count: ids.len(),
            created,
            hints,
            next: (stop < end).then(|| (stop - 1).to_string()),
        };
        (ids, facts)
    }
}

/// How a run went.
pub(super) struct Run {
    pub(super) requests: usize,
    pub(super) took: Duration,
    /// Requests sent before fewer pages were left than could be under way at once, and when that was.
    pub(super) requests_before_tail: usize,
    pub(super) tail_began: Duration,
    /// In the order of emission: the ids of a page, and what remained after it.
    pub(super) pages: Vec<(Vec<usize>, Vec<Remaining>)>,
    pub(super) most_open: usize,
}

pub(super) fn whole(window: Window) -> Part {
    Part { pass: 0, label: None, window, cursor: None, windowed: true, stop_below: None }
}

/// What is left of a stream, as parts to read.
pub(super) fn parts_of(remaining: &[Remaining]) -> Vec<Part> {
    let part = |part: &Remaining| Part { cursor: part.cursor.clone(), ..whole(part.window) };
    remaining.iter().map(part).collect()
}

/// Reads `parts` of the world through planner and limiter; each request takes about `latency`.
pub(super) fn run(world: &World, parts: Vec<Part>, limits: Limits, latency: Duration, seed: u64) -> Run {
    let mut chance = Chance(seed);
    let mut limiter = Limiter::new(limits, Duration::ZERO);
    let endpoint: Arc<str> = Arc::from("/v1/charges");
    let planner = Planner::new(parts, 100, None);
    let mut lanes = [Lane { planner, endpoints: vec![Arc::clone(&endpoint)], open: true, paused: false }];
    let mut under_way: BinaryHeap<Reverse<(Duration, Duration, usize)>> = BinaryHeap::new();
    let mut asked: Vec<Option<Request>> = Vec::new();
    let (mut now, mut last) = (Duration::ZERO, 0);
    let mut done = Run {
        requests: 0,
        took: Duration::ZERO,
        requests_before_tail: 0,
        tail_began: Duration::ZERO,
        pages: Vec::new(),
        most_open: 0,
    };
    let mut unread = world.len();
    let at_once = (limits.account_rate * latency.as_secs_f64()).ceil() as usize + 1;
    loop {
        let wake = match pick(&mut lanes, &mut limiter, &mut last, now, |_| true) {
            Pick::Send(_, request) => {
                done.requests += 1;
                if unread > at_once * 100 {
                    done.requests_before_tail += 1;
                }
                let takes = latency.mul_f64(0.8 + 0.4 * chance.share());
                under_way.push(Reverse((now + takes, now, asked.len())));
                asked.push(Some(request));
                continue;
            }
            Pick::At(at) => Some(at),
            Pick::Nothing => None,
        };
        let Some(&Reverse((arrives, sent, index))) = under_way.peek() else {
            match wake {
                Some(at) => now = at,
                None => break,
            }
            continue;
        };
        if let Some(at) = wake.filter(|&at| at < arrives) {
            now = at;
            continue;
        }
        under_way.pop();
        now = arrives;
        let request = asked[index].take().unwrap();
        let (ids, facts) = world.list(&request);
        limiter.ended(&endpoint, sent, Answer::Other, now);
        let planner = &mut lanes[0].planner;
        let progress = planner.page_arrived(request.range, &facts);
        unread = unread.saturating_sub(progress.keep);
        if unread > at_once * 100 {
            done.tail_began = now;
        }
        let remaining = planner.remaining();
        done.most_open = done.most_open.max(remaining.len());
        done.pages.push((ids[..progress.keep].to_vec(), remaining));
    }
    assert!(lanes[0].planner.is_done(), "the run stopped with ranges open");
    done.took = now;
    done
}
