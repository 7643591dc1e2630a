//! The limiter of an account with a clock, and what each read of the account has of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::lease::{Share, keep};
use super::limiter::{Answer, Limiter, Limits, Refused};
use super::queue::Reader;
use crate::meter::RequestMeter;

/// The limiter of an account, for all reads of it in this process.
#[derive(Debug)]
pub(super) struct Throttle {
    limiter: Mutex<Limiter>,
    began: Instant,
    changed: Notify,
    /// Told when something is wanted that has to be leased first, where rates are leased.
    hungry: Option<Arc<Notify>>,
    readers: Mutex<Readers>,
}

/// Who reads the account, and what each was told of its limits.
#[derive(Debug, Default)]
struct Readers {
    last: Reader,
    limits: BTreeMap<Reader, Limits>,
}

impl Throttle {
    /// A throttle of nobody else's account.
    pub(super) fn new(limits: Limits) -> Throttle {
        Throttle::with_limiter(Limiter::new(limits, Duration::ZERO), None)
    }

    /// A throttle whose rates are leased, because other processes ask for the same account. Call it within a
    /// runtime: a task keeps the leases.
    pub(super) fn shared(limits: Limits, share: Share) -> Arc<Throttle> {
        let hungry = Arc::new(Notify::new());
        let limiter = Limiter::shared(limits, Duration::ZERO);
        let throttle = Arc::new(Throttle::with_limiter(limiter, Some(Arc::clone(&hungry))));
        tokio::spawn(keep(Arc::downgrade(&throttle), share, hungry));
        throttle
    }

    fn with_limiter(limiter: Limiter, hungry: Option<Arc<Notify>>) -> Throttle {
        Throttle {
            limiter: Mutex::new(limiter),
            began: Instant::now(),
            changed: Notify::new(),
            hungry,
            readers: Mutex::default(),
        }
    }

    /// The throttle's time at a moment.
    pub(super) fn time_of(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.began)
    }

    /// Takes leases that are good until `until`.
    pub(super) fn lease<'n>(&self, rates: impl Iterator<Item = (&'n str, f64)>, until: Duration) {
        self.with(|limiter, now| {
            for (endpoint, rate) in rates {
                limiter.lease(endpoint, rate, until, now);
            }
        });
        self.changed.notify_waiters();
    }

    /// Runs `decide` with the limiter and the time since the throttle began.
    pub(super) fn with<T>(&self, decide: impl FnOnce(&mut Limiter, Duration) -> T) -> T {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = decide(&mut limiter, self.began.elapsed());
        if let Some(hungry) = self.hungry.as_ref().filter(|_| limiter.is_hungry()) {
            hungry.notify_one();
        }
        decided
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, limits: Limits) -> Reader {
        let mut readers = self.readers();
        readers.last += 1;
        let reader = readers.last;
        readers.limits.insert(reader, limits);
        self.limit(&readers);
        reader
    }

    fn ends(&self, reader: Reader) {
        let mut readers = self.readers();
        readers.limits.remove(&reader);
        self.limit(&readers);
        self.with(|limiter, _| limiter.forget(reader));
    }

    /// Where readers were told different limits, the most careful ones count.
    fn limit(&self, readers: &Readers) {
        if let Some(limits) = readers.limits.values().copied().reduce(Limits::stricter) {
            self.with(|limiter, now| limiter.limit(limits, now));
            // Whoever waits for a lower rate need not wait as long any more.
            self.changed.notify_waiters();
        }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Some(hungry) = &self.hungry {
            // Whoever keeps the leases gives them back.
            hungry.notify_one();
        }
    }
}

/// Lets the requests of one read through as the account's limiter allows.
#[derive(Debug)]
pub(crate) struct Gate {
    throttle: Arc<Throttle>,
    reader: Reader,
    meter: Arc<RequestMeter>,
    in_flight: AtomicUsize,
}

impl Gate {
    /// A gate of one more reader.
    pub(super) fn new(throttle: Arc<Throttle>, limits: Limits, meter: Arc<RequestMeter>) -> Arc<Gate> {
        let reader = throttle.begins(limits);
        meter.rate_is(limits.account_rate);
        Arc::new(Gate { throttle, reader, meter, in_flight: AtomicUsize::new(0) })
    }

    /// Runs `decide` with the limiter and the time by its clock.
    pub(crate) fn with<T>(&self, decide: impl FnOnce(&mut Limiter, Duration) -> T) -> T {
        let (decided, rate) = self.throttle.with(|limiter, now| {
            limiter.serve(self.reader);
            (decide(limiter, now), limiter.rate())
        });
        self.meter.rate_is(rate);
        decided
    }

    /// Waits until the limiter lets a request to `endpoint` through.
    pub(crate) async fn admit(self: &Arc<Self>, endpoint: &Arc<str>) -> Admission {
        loop {
            // Registered before asking, so that no change in between is missed.
            let changed = self.throttle.changed.notified();
            let (answer, now) = self.with(|limiter, now| (limiter.admit(endpoint, now), now));
            match answer {
                Ok(()) => return self.admitted(endpoint, now),
                Err(Refused::Until(at)) => self.sleep_until(at).await,
                Err(Refused::Busy) => changed.await,
            }
        }
    }

    /// Stands for a request that the limiter counted at `sent`.
    pub(crate) fn admitted(self: &Arc<Self>, endpoint: &Arc<str>, sent: Duration) -> Admission {
        self.meter.sent();
        self.meter.in_flight_is(self.in_flight.fetch_add(1, Relaxed) + 1);
        Admission { gate: Arc::clone(self), endpoint: Arc::clone(endpoint), sent, ended: false }
    }

    /// Waits until a time of the gate's clock.
    pub(crate) async fn sleep_until(&self, at: Duration) {
        tokio::time::sleep_until(self.throttle.began + at).await;
    }

    /// Completes when more may be sent than could be foreseen when this was called.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.throttle.changed.notified()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.throttle.ends(self.reader);
    }
}

/// A request under way; dropping it says that it ended.
#[derive(Debug)]
pub(crate) struct Admission {
    gate: Arc<Gate>,
    endpoint: Arc<str>,
    sent: Duration,
    ended: bool,
}

impl Admission {
    /// Says how the request ended.
    pub(crate) fn end(mut self, answer: Answer<'_>) {
        self.finish(answer);
    }

    fn finish(&mut self, answer: Answer<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if matches!(answer, Answer::Limited { .. }) {
            self.gate.meter.refused();
        }
        self.gate.meter.in_flight_is(self.gate.in_flight.fetch_sub(1, Relaxed) - 1);
        let makes_room = self.gate.with(|limiter, now| limiter.ended(&self.endpoint, self.sent, answer, now));
        if makes_room {
            self.gate.throttle.changed.notify_waiters();
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.finish(Answer::Other);
    }
}
