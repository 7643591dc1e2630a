//! The limiter against a model of Stripe's own, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::limiter::{Answer, Limiter, Limits, Refused};

/// A small generator of evenly spread numbers: the same seed, the same run.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// From 0 up to but not including 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Stripe: what it lets through, and what is known of its way of counting.
pub(super) struct Server {
    pub(super) account_rate: f64,
    pub(super) endpoint_rate: f64,
    /// It forgives what would be too much for so many seconds' worth of requests.
    pub(super) burst: f64,
    pub(super) latency: Duration,
    /// The answer to a request that is too much comes sooner.
    pub(super) refusal_latency: Duration,
    /// Latencies differ by up to this share of them.
    pub(super) jitter: f64,
    pub(super) retry_after: Option<Duration>,
    /// Requests of other clients per second, from when to when. They do not care for refusals.
    pub(super) others: f64,
    pub(super) others_from: Duration,
    pub(super) others_until: Duration,
}

impl Server {
    /// The limits of live mode, and a busy but steady network.
    pub(super) fn live() -> Server {
        Server {
            account_rate: 100.0,
            endpoint_rate: 25.0,
            burst: 1.0,
            latency: Duration::from_millis(200),
            refusal_latency: Duration::from_millis(30),
            jitter: 0.3,
            retry_after: None,
            others: 0.0,
            others_from: Duration::ZERO,
            others_until: Duration::ZERO,
        }
    }
}

/// Stripe's bucket, counted from full.
#[derive(Clone, Copy, Default)]
struct Level {
    spent: f64,
    at: Duration,
}

impl Level {
    fn takes(&mut self, rate: f64, burst: f64, now: Duration) -> bool {
        let gained = now.saturating_sub(self.at).as_secs_f64() * rate;
        self.spent = (self.spent - gained).max(0.0);
        self.at = now;
        self.spent + 1.0 <= (rate * burst).max(1.0) + 1e-6
    }
}

/// What happened in one second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Second {
    pub(super) answered: u32,
    pub(super) refused: u32,
    /// What the limiter allowed at the end of it.
    pub(super) rate: f64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A request reaches Stripe: endpoint, when it was sent.
    Arrives(usize, Duration),
    /// Its answer comes back, good or bad.
    Returns(usize, Duration, bool, bool),
    /// Another client asks.
    Other,
}

/// Runs the limiter, always wanting to send to all of `endpoints` endpoints, for `seconds`.
pub(super) fn run(server: &Server, limits: Limits, endpoints: usize, seconds: u32, seed: u64) -> Vec<Second> {
    let mut chance = Chance(seed);
    let paths: Vec<Arc<str>> = (0..endpoints).map(|index| Arc::from(format!("/v1/{index}"))).collect();
    let mut limiter = Limiter::new(limits, Duration::ZERO);
    let mut global = Level::default();
    let mut levels = vec![Level::default(); endpoints];
    let mut told = vec![Second::default(); seconds as usize];
    let mut queue: BinaryHeap<Reverse<(Duration, u64, Happening)>> = BinaryHeap::new();
    let (mut now, mut number, mut turn) = (Duration::ZERO, 0u64, 0usize);
    let end = Duration::from_secs(u64::from(seconds));
    let mut push = |queue: &mut BinaryHeap<_>, at: Duration, happening: Happening| {
        number += 1;
        queue.push(Reverse((at, number, happening)));
    };
    if server.others > 0.0 {
        push(&mut queue, server.others_from, Happening::Other);
    }
    while now < end {
        let mut soonest: Option<Duration> = None;
        for step in 0..endpoints {
            let index = (turn + step) % endpoints;
            match limiter.admit(&paths[index], now) {
                Ok(()) => {
                    turn = index + 1;
                    let way = server.latency.mul_f64(0.25 * (1.0 + server.jitter * chance.share()));
                    push(&mut queue, now + way, Happening::Arrives(index, now));
                    soonest = Some(now);
                    break;
                }
                Err(Refused::Until(at)) => soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
                Err(Refused::Busy) => {}
            }
        }
        if soonest == Some(now) {
            continue;
        }
        let next = queue.peek().map(|Reverse((at, ..))| *at);
        match (soonest, next) {
            (Some(at), None) => now = at,
            (Some(at), Some(next)) if at < next => now = at,
            (_, Some(next)) => {
                now = next;
                let Some(Reverse((_, _, happening))) = queue.pop() else { break };
                match happening {
                    Happening::Arrives(index, sent) => {
                        let free = global.takes(server.account_rate, server.burst, now);
                        let free_there = levels[index].takes(server.endpoint_rate, server.burst, now);
                        let good = free && free_there;
                        if good {
                            global.spent += 1.0;
                            levels[index].spent += 1.0;
                        }
                        let takes = if good { server.latency } else { server.refusal_latency };
                        let takes = takes.mul_f64(0.75 * (1.0 + server.jitter * chance.share()));
                        push(&mut queue, now + takes, Happening::Returns(index, sent, good, !free));
                    }
                    Happening::Returns(index, sent, good, global) => {
                        let second = &mut told[(now.as_secs() as usize).min(seconds as usize - 1)];
                        let answer = if good {
                            second.answered += 1;
                            Answer::Other
                        } else {
                            second.refused += 1;
                            let reason = Some(if global { "global-rate" } else { "endpoint-rate" });
                            Answer::Limited { reason, retry_after: server.retry_after }
                        };
                        limiter.ended(&paths[index], sent, answer, now);
                        second.rate = limiter.rate();
                    }
                    Happening::Other => {
                        if global.takes(server.account_rate, server.burst, now) {
                            global.spent += 1.0;
                        }
                        // Others do not come like clockwork.
                        let gap = 2.0 * chance.share() / server.others;
                        let next = now + Duration::from_secs_f64(gap);
                        if next < server.others_until {
                            push(&mut queue, next, Happening::Other);
                        }
                    }
                }
            }
            (None, None) => break,
        }
    }
    told
}
