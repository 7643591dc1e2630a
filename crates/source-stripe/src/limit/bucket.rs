//! One rate.

use std::time::Duration;

/// The bucket holds what may be sent within this time: short, so that a read never begins with a flood.
const BURST: Duration = Duration::from_millis(200);

/// What is left of the rate after it was exceeded.
const DECREASE: f64 = 0.5;

/// Share of the full rate that comes back in each second without a refusal.
const RECOVERY_PER_SECOND: f64 = 0.05;

/// The rate never falls below this share of the full rate.
const FLOOR: f64 = 0.04;

/// A token bucket whose rate falls when Stripe says it is too high, and recovers.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Requests per second when all is well.
    full_rate: f64,
    rate: f64,
    tokens: f64,
    updated: Duration,
    /// Nothing is sent before this time.
    closed_until: Duration,
    lowered_at: Option<Duration>,
}

impl Bucket {
    pub(super) fn new(rate: f64, now: Duration) -> Bucket {
        let mut bucket = Bucket {
            full_rate: rate,
            rate,
            tokens: 0.0,
            updated: now,
            closed_until: Duration::ZERO,
            lowered_at: None,
        };
        bucket.tokens = bucket.capacity();
        bucket
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    fn capacity(&self) -> f64 {
        (self.rate * BURST.as_secs_f64()).max(1.0)
    }

    /// Brings the bucket to `now`; answers when the next token is there, which may be now.
    pub(super) fn ready_at(&mut self, now: Duration) -> Duration {
        let seconds = now.saturating_sub(self.updated).as_secs_f64();
        self.updated = self.updated.max(now);
        self.rate = (self.rate + seconds * RECOVERY_PER_SECOND * self.full_rate).min(self.full_rate);
        self.tokens = (self.tokens + seconds * self.rate).min(self.capacity());
        // A whole token but for what rounding took from it.
        let missing = 1.0 - 1e-6 - self.tokens;
        let refilled = if missing <= 0.0 { now } else { now + wait(missing / self.rate) };
        refilled.max(self.closed_until)
    }

    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// Stripe refused a request that was sent at `sent`. Refusals of requests from before the last
    /// decrease tell nothing new.
    pub(super) fn exceeded(&mut self, sent: Duration, retry_after: Option<Duration>, now: Duration) {
        if self.lowered_at.is_none_or(|lowered| sent > lowered) {
            self.rate = (self.rate * DECREASE).max(self.full_rate * FLOOR);
            self.tokens = self.tokens.min(0.0);
            self.lowered_at = Some(now);
        }
        if let Some(pause) = retry_after {
            self.closed_until = self.closed_until.max(now + pause);
        }
    }
}

/// Never zero, so that whoever waits gets on.
fn wait(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(1e-6, 3600.0))
}
