//! The three levels: the account's rate, each endpoint's rate, and requests at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::bucket::{Bucket, Use};
use super::lease::{ALL_ENDPOINTS, BudgetWant};
use super::queue::{Queue, Reader};

/// What may be asked of Stripe when all is well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// Requests per second over all endpoints.
    pub(crate) account_rate: f64,
    /// Requests per second to one endpoint.
    pub(crate) endpoint_rate: f64,
    /// Requests at a time.
    pub(crate) in_flight: usize,
}

impl Limits {
    /// The smaller of each.
    pub(super) fn stricter(self, other: Limits) -> Limits {
        Limits {
            account_rate: self.account_rate.min(other.account_rate),
            endpoint_rate: self.endpoint_rate.min(other.endpoint_rate),
            in_flight: self.in_flight.min(other.in_flight),
        }
    }
}

/// Why a request must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Until that time.
    Until(Duration),
    /// Until another request ends.
    Busy,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// Stripe answered 429, with its `Stripe-Rate-Limited-Reason` and `Retry-After`.
    Limited { reason: Option<&'a str>, retry_after: Option<Duration> },
    /// Anything else.
    Other,
}

/// Decides when a request may be sent. Times are those of one clock that begins anywhere.
///
/// A rate that Stripe says is exceeded falls at once and recovers within seconds to what Stripe was seen to
/// take; nothing is sent before a `Retry-After` has passed.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    account: Bucket,
    endpoints: HashMap<Arc<str>, Endpoint>,
    in_flight: Concurrency,
    /// Whether rates are leased, because other processes ask for the same account.
    shared: bool,
    /// Whether somebody wanted to send where nothing is leased.
    hungry: bool,
    /// Who asks at present.
    reader: Reader,
}

#[derive(Debug)]
struct Endpoint {
    bucket: Bucket,
    in_flight: Concurrency,
}

/// Requests at a time: allowed, and under way.
#[derive(Debug)]
struct Concurrency {
    full: f64,
    allowed: f64,
    now: usize,
    lowered_at: Option<Duration>,
    /// Who waits for a request to end.
    queue: Queue,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, now: Duration) -> Limiter {
        Limiter {
            limits,
            account: Bucket::new(limits.account_rate, now),
            endpoints: HashMap::new(),
            in_flight: Concurrency::new(limits.in_flight),
            shared: false,
            hungry: false,
            reader: 0,
        }
    }

    /// A limiter that lets nothing through but what is [leased](Limiter::lease).
    pub(crate) fn shared(limits: Limits, now: Duration) -> Limiter {
        Limiter { account: Bucket::leased(now), shared: true, ..Limiter::new(limits, now) }
    }

    /// Takes other limits from now on.
    pub(super) fn limit(&mut self, limits: Limits, now: Duration) {
        if limits == self.limits {
            return;
        }
        self.limits = limits;
        self.in_flight.limit(limits.in_flight);
        for endpoint in self.endpoints.values_mut() {
            endpoint.in_flight.limit(limits.in_flight);
        }
        // Where rates are leased, the next leases are by these limits.
        if !self.shared {
            self.account.limit(limits.account_rate, now);
            for endpoint in self.endpoints.values_mut() {
                endpoint.bucket.limit(limits.endpoint_rate, now);
            }
        }
    }

    /// What to lease next, `elapsed` after it was asked last. Nothing where nothing was sent lately or waits.
    pub(crate) fn wants(&mut self, elapsed: Duration) -> Vec<BudgetWant> {
        self.hungry = false;
        let limits = self.limits;
        let mut wants = Vec::new();
        for (path, endpoint) in &mut self.endpoints {
            wants.extend(want(path, limits.endpoint_rate, endpoint.bucket.account(elapsed)));
        }
        let account = self.account.account(elapsed);
        wants.extend(want(ALL_ENDPOINTS, limits.account_rate, account));
        wants
    }

    /// Takes a lease of `rate` for an endpoint, or for all of them.
    pub(crate) fn lease(&mut self, endpoint: &str, rate: f64, until: Duration, now: Duration) {
        if endpoint == ALL_ENDPOINTS {
            self.account.lease(rate, until, now);
        } else if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.bucket.lease(rate, until, now);
        }
    }

    /// Whether somebody wanted to send where nothing is leased, since it was asked last what to lease.
    pub(crate) fn is_hungry(&self) -> bool {
        self.hungry
    }

    /// Requests per second over all endpoints that are allowed at present.
    pub(crate) fn rate(&self) -> f64 {
        self.account.rate()
    }

    /// Requests per second over all endpoints when all is well.
    pub(super) fn full_rate(&self) -> f64 {
        self.limits.account_rate
    }

    /// Requests per second to one endpoint when all is well.
    pub(crate) fn endpoint_rate(&self) -> f64 {
        self.limits.endpoint_rate
    }

    /// From now on it is `reader` who asks.
    pub(super) fn serve(&mut self, reader: Reader) {
        self.reader = reader;
    }

    /// The reader asks no more.
    pub(super) fn forget(&mut self, reader: Reader) {
        let endpoints = self.endpoints.values_mut();
        let levels = endpoints.map(|endpoint| (&mut endpoint.bucket, &mut endpoint.in_flight));
        for (bucket, in_flight) in levels.chain([(&mut self.account, &mut self.in_flight)]) {
            bucket.leave(reader);
            in_flight.queue.leave(reader);
        }
    }

    /// Whether [`Limiter::admit`] would succeed. Whoever is refused has a place in the queue from then on.
    pub(crate) fn would_admit(&mut self, endpoint: &Arc<str>, now: Duration) -> Result<(), Refused> {
        let reader = self.reader;
        let account_ready = self.account.ready_at(reader, now);
        let account_room = self.in_flight.room_for(reader, now);
        if account_ready > now {
            self.account.starves();
        }
        let mut lacks_lease = self.account.lacks_lease(now);
        let endpoint = self.endpoint(endpoint, now);
        let endpoint_ready = endpoint.bucket.ready_at(reader, now);
        if endpoint_ready > now {
            endpoint.bucket.starves();
            lacks_lease |= endpoint.bucket.lacks_lease(now);
        }
        let endpoint_room = endpoint.in_flight.room_for(reader, now);
        self.hungry |= lacks_lease;
        account_room.and(endpoint_room)?;
        let ready = account_ready.max(endpoint_ready);
        if ready > now { Err(Refused::Until(ready)) } else { Ok(()) }
    }

    /// Counts a request to `endpoint` if it may be sent now; it then has to be [ended](Limiter::ended).
    pub(crate) fn admit(&mut self, endpoint: &Arc<str>, now: Duration) -> Result<(), Refused> {
        self.would_admit(endpoint, now)?;
        let reader = self.reader;
        self.account.take(reader);
        self.in_flight.take(reader);
        let endpoint = self.endpoint(endpoint, now);
        endpoint.bucket.take(reader);
        endpoint.in_flight.take(reader);
        Ok(())
    }

    /// A request that was admitted at `sent` has ended. Answers whether somebody waits for that.
    pub(crate) fn ended(
        &mut self,
        endpoint: &Arc<str>,
        sent: Duration,
        answer: Answer<'_>,
        now: Duration,
    ) -> bool {
        let awaited = self.in_flight.ended(now) | self.endpoint(endpoint, now).in_flight.ended(now);
        if let Answer::Limited { reason, retry_after } = answer {
            self.refused(endpoint, sent, reason, retry_after, now);
        }
        awaited
    }

    fn refused(
        &mut self,
        endpoint: &Arc<str>,
        sent: Duration,
        reason: Option<&str>,
        retry_after: Option<Duration>,
        now: Duration,
    ) {
        match reason {
            Some("endpoint-rate") => {
                self.endpoint(endpoint, now).bucket.exceeded(sent, retry_after, now);
            }
            Some("endpoint-concurrency") => self.endpoint(endpoint, now).in_flight.exceeded(sent, now),
            Some("global-concurrency") => self.in_flight.exceeded(sent, now),
            // `global-rate`, and whatever has no reason: better too careful than not.
            _ => self.account.exceeded(sent, retry_after, now),
        }
    }

    fn endpoint(&mut self, endpoint: &Arc<str>, now: Duration) -> &mut Endpoint {
        let shared = self.shared;
        self.endpoints.entry(Arc::clone(endpoint)).or_insert_with(|| Endpoint {
            bucket: if shared { Bucket::leased(now) } else { Bucket::new(self.limits.endpoint_rate, now) },
            in_flight: Concurrency::new(self.limits.in_flight),
        })
    }
}

/// Twice what was used lately, so that a demand can grow; all there is where that was not enough. Nothing where
/// there was no demand.
fn want(endpoint: &str, full_rate: f64, used: Use) -> Option<BudgetWant> {
    let Use { demand, starved, exceeded } = used;
    let wanted = if starved { full_rate } else { (demand * 2.0 + 2.0).min(full_rate) };
    let demanded = starved || exceeded || demand > 0.0;
    demanded.then(|| BudgetWant { endpoint: endpoint.to_owned(), full_rate, wanted, exceeded })
}

impl Concurrency {
    fn new(full: usize) -> Concurrency {
        let full = full.max(1) as f64;
        Concurrency { full, allowed: full, now: 0, lowered_at: None, queue: Queue::default() }
    }

    fn limit(&mut self, full: usize) {
        self.full = full.max(1) as f64;
        self.allowed = self.allowed.min(self.full);
    }

    /// Whether there is room for `reader`: those who waited before it come first.
    fn room_for(&mut self, reader: Reader, now: Duration) -> Result<(), Refused> {
        let free = self.allowed.floor() - self.now as f64;
        if self.queue.ahead_of(reader, now) as f64 + 1.0 <= free {
            return Ok(());
        }
        self.queue.wait(reader, Duration::MAX);
        if free < 1.0 {
            return Err(Refused::Busy);
        }
        self.queue.call(now);
        Err(Refused::Until(Queue::passed_over_at(now)))
    }

    fn take(&mut self, reader: Reader) {
        self.queue.leave(reader);
        self.now += 1;
    }

    /// Each request that ends well lets a little more at a time. Answers whether somebody waits for that.
    fn ended(&mut self, now: Duration) -> bool {
        self.now = self.now.saturating_sub(1);
        self.allowed = (self.allowed + 0.25 / self.allowed).min(self.full);
        self.queue.call(now);
        !self.queue.is_empty()
    }

    fn exceeded(&mut self, sent: Duration, now: Duration) {
        if self.lowered_at.is_none_or(|lowered| sent > lowered) {
            // What was under way when Stripe refused is what was too much.
            let at_once = (self.now + 1) as f64;
            self.allowed = (at_once.min(self.allowed) * 0.7).max(1.0);
            self.lowered_at = Some(now);
        }
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
