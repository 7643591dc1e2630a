//! One rate.

use std::time::Duration;

use super::queue::{Queue, Reader};

/// The bucket holds what may be sent within this time: short, so that a read never begins with a flood.
const BURST: Duration = Duration::from_millis(200);

/// What is left of the rate after it was exceeded.
const DECREASE: f64 = 0.7;

/// The rate that is soon tried again after a refusal, as a share of what is believed to be there.
const HOLD: f64 = 0.97;

/// How fast the rate comes back, and later grows: so long after the plateau, one whole full rate is added.
const GROWTH: f64 = 16.0;

/// Refusals closer than this are one misfortune, and tell nothing of what is there.
const MEASURABLE: Duration = Duration::from_secs(2);

/// The rate never falls below this share of the full rate.
const FLOOR: f64 = 0.04;

/// A token bucket whose rate falls when Stripe says it is too high, and recovers.
///
/// After a refusal the rate falls at once, returns within seconds to just below what Stripe was seen to take,
/// stays near that, and then grows faster and faster: who shares the account with others finds their share
/// quickly, is seldom refused, and takes back what they leave. (The curve is that of TCP CUBIC.)
#[derive(Debug)]
pub(super) struct Bucket {
    /// Requests per second when all is well.
    full_rate: f64,
    rate: f64,
    tokens: f64,
    updated: Duration,
    /// Nothing is sent before this time.
    closed_until: Duration,
    /// The last time that the rate was lowered, while that is felt.
    setback: Option<Setback>,
    lowered_at: Option<Duration>,
    /// Requests since then that were not refused.
    passed: f64,
    /// Where the rate is leased: what was leased, and what is to be told when it is leased again.
    lease: Option<Lease>,
    /// Who waits for a token.
    queue: Queue,
}

/// The part of a shared rate that is ours.
#[derive(Debug, Clone, Copy)]
struct Lease {
    /// Nothing is sent from then on.
    until: Duration,
    /// Requests since the last account.
    sent: u32,
    /// Requests per second lately.
    demand: f64,
    /// Whether more would have been sent since then.
    starved: bool,
    /// Whether Stripe refused since then.
    exceeded: bool,
}

/// What a bucket made of its lease.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Use {
    /// Requests per second lately; none for a long time is 0.
    pub(super) demand: f64,
    pub(super) starved: bool,
    pub(super) exceeded: bool,
}

/// What is demanded is averaged over about so long: a list from which nothing was asked for a moment is asked
/// again soon.
const MEMORY: Duration = Duration::from_secs(2);

/// Less than this many requests per second are none.
const NO_DEMAND: f64 = 0.1;

/// Whoever waits behind others looks again after this time: the rate may have come back meanwhile.
const QUEUE_POLL: Duration = Duration::from_secs(1);

/// When to look again for a lease.
const LEASE_POLL: Duration = Duration::from_millis(100);

/// Where the rate was lowered to, and where it returns to.
#[derive(Debug, Clone, Copy)]
struct Setback {
    /// When requests went on.
    since: Duration,
    low: f64,
    hold: f64,
}

impl Bucket {
    pub(super) fn new(rate: f64, now: Duration) -> Bucket {
        let mut bucket = Bucket {
            full_rate: rate,
            rate,
            tokens: 0.0,
            updated: now,
            closed_until: Duration::ZERO,
            setback: None,
            lowered_at: None,
            passed: 0.0,
            lease: None,
            queue: Queue::default(),
        };
        bucket.tokens = bucket.capacity();
        bucket
    }

    /// From now on `rate` is what there is when all is well.
    pub(super) fn limit(&mut self, rate: f64, now: Duration) {
        self.settle(now);
        self.full_rate = rate;
        self.rate = self.rate_at(now);
        self.tokens = self.tokens.min(self.capacity());
    }

    /// A bucket that is empty until it is [leased](Bucket::lease) a rate.
    pub(super) fn leased(now: Duration) -> Bucket {
        let lease = Lease { until: now, sent: 0, demand: 0.0, starved: false, exceeded: false };
        Bucket { lease: Some(lease), tokens: 0.0, ..Bucket::new(0.0, now) }
    }

    /// From now on `rate` is ours, until that time.
    pub(super) fn lease(&mut self, rate: f64, until: Duration, now: Duration) {
        self.settle(now);
        let Some(lease) = &mut self.lease else { return };
        lease.until = until;
        // The lease takes into account what Stripe refused, as far as it was told of it.
        if !lease.exceeded {
            self.setback = None;
        }
        self.limit(rate, now);
    }

    /// What was made of the lease in the `elapsed` time since the last account.
    pub(super) fn account(&mut self, elapsed: Duration) -> Use {
        let Some(lease) = &mut self.lease else {
            return Use { demand: 0.0, starved: false, exceeded: false };
        };
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let rate = f64::from(lease.sent) / seconds;
        let weight = 1.0 - (-seconds / MEMORY.as_secs_f64()).exp();
        lease.demand += weight * (rate - lease.demand);
        if lease.sent == 0 && lease.demand < NO_DEMAND {
            lease.demand = 0.0;
        }
        let account = Use { demand: lease.demand, starved: lease.starved, exceeded: lease.exceeded };
        *lease = Lease { sent: 0, starved: false, exceeded: false, ..*lease };
        account
    }

    /// Whether there is none, or no longer a lease.
    pub(super) fn lacks_lease(&self, now: Duration) -> bool {
        self.lease.is_some_and(|lease| lease.until <= now)
    }

    /// Somebody wanted to send, and had to wait for this bucket.
    pub(super) fn starves(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.starved = true;
        }
    }

    /// The reader no longer waits.
    pub(super) fn leave(&mut self, reader: Reader) {
        self.queue.leave(reader);
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    fn capacity(&self) -> f64 {
        (self.rate * BURST.as_secs_f64()).max(1.0)
    }

    /// When there is a token for `reader`, which may be now: those who waited before it come first.
    pub(super) fn ready_at(&mut self, reader: Reader, now: Duration) -> Duration {
        self.settle(now);
        if self.is_shut(now) {
            return (now + LEASE_POLL).max(self.closed_until);
        }
        let ahead = self.queue.ahead_of(reader, now) as f64;
        // Whole tokens but for what rounding took from them.
        let missing = ahead + 1.0 - 1e-6 - self.tokens;
        let refilled = if missing <= 0.0 { now } else { now + wait(missing / self.rate.max(1e-6)) };
        let foreseen = if ahead > 0.0 { refilled.min(now + QUEUE_POLL) } else { refilled };
        let ready = foreseen.max(self.closed_until);
        if ready > now {
            self.queue.wait(reader, ready);
        }
        ready
    }

    /// Whether nothing is leased.
    fn is_shut(&self, now: Duration) -> bool {
        self.lacks_lease(now) || (self.lease.is_some() && self.full_rate <= 0.0)
    }

    /// Brings the bucket to `now`.
    fn settle(&mut self, now: Duration) {
        // What may not be sent is not saved up either.
        let since = self.updated.max(self.closed_until);
        let seconds = now.saturating_sub(since).as_secs_f64();
        self.updated = self.updated.max(now);
        if self.is_shut(now) {
            self.tokens = self.tokens.min(0.0);
            self.rate = 0.0;
            return;
        }
        let before = self.rate;
        self.rate = self.rate_at(now);
        self.tokens = (self.tokens + seconds * (before + self.rate) / 2.0).min(self.capacity());
    }

    fn rate_at(&mut self, now: Duration) -> f64 {
        let Some(setback) = self.setback else { return self.full_rate };
        let rate = setback.rate(self.full_rate, now);
        if rate >= self.full_rate {
            self.setback = None;
        }
        rate.min(self.full_rate)
    }

    pub(super) fn take(&mut self, reader: Reader) {
        self.queue.leave(reader);
        self.tokens -= 1.0;
        self.passed += 1.0;
        if let Some(lease) = &mut self.lease {
            lease.sent += 1;
        }
    }

    /// Stripe refused a request that was sent at `sent`. Refusals of requests from before the last
    /// decrease tell nothing new.
    pub(super) fn exceeded(&mut self, sent: Duration, retry_after: Option<Duration>, now: Duration) {
        self.passed -= 1.0;
        if let Some(lease) = &mut self.lease {
            lease.exceeded = true;
        }
        let resumes = now.max(retry_after.map_or(now, |pause| now + pause));
        if self.lowered_at.is_none_or(|lowered| sent > lowered) {
            let there = self.measured(now).unwrap_or(self.rate);
            let floor = self.full_rate * FLOOR;
            let low = (self.rate.min(there) * DECREASE).max(floor);
            let hold = (there * HOLD).max(low);
            self.setback = Some(Setback { since: resumes, low, hold });
            self.rate = low;
            self.tokens = self.tokens.min(0.0);
            self.lowered_at = Some(now);
            self.passed = 0.0;
        } else if let Some(setback) = &mut self.setback {
            setback.since = setback.since.max(resumes);
        }
        if retry_after.is_some() {
            self.closed_until = self.closed_until.max(resumes);
        }
    }

    /// What Stripe took per second from one refusal to the next: both times it had nothing left, so that this
    /// is what it gives.
    fn measured(&self, now: Duration) -> Option<f64> {
        let since = now.saturating_sub(self.setback?.since.max(self.lowered_at?));
        (since >= MEASURABLE).then(|| (self.passed / since.as_secs_f64()).min(self.rate))
    }
}

impl Setback {
    /// A cubic curve through `low` at the setback, flat at `hold`.
    fn rate(&self, full_rate: f64, now: Duration) -> f64 {
        let seconds = now.saturating_sub(self.since).as_secs_f64();
        let plateau = GROWTH * ((self.hold - self.low) / full_rate).cbrt();
        self.hold + full_rate * ((seconds - plateau) / GROWTH).powi(3)
    }
}

/// Never zero, so that whoever waits gets on.
fn wait(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(1e-6, 3600.0))
}
