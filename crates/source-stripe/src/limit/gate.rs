//! The limiter with a clock, shared by all tasks of a read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::leases::{Share, keep};
use super::limiter::{Answer, Limiter, Limits, Refused};
use crate::meter::RequestMeter;

/// Lets requests through as the limiter allows.
#[derive(Debug)]
pub(crate) struct Gate {
    limiter: Mutex<Limiter>,
    began: Instant,
    changed: Notify,
    meter: Arc<RequestMeter>,
    /// Told when something is wanted that has to be leased first, where rates are leased.
    hungry: Option<Arc<Notify>>,
}

impl Gate {
    pub(crate) fn new(limits: Limits, meter: Arc<RequestMeter>) -> Arc<Gate> {
        meter.rate_is(limits.account_rate);
        Arc::new(Gate {
            limiter: Mutex::new(Limiter::new(limits, Duration::ZERO)),
            began: Instant::now(),
            changed: Notify::new(),
            meter,
            hungry: None,
        })
    }

    /// A gate whose rates are leased, because other processes ask for the same account. Call it within a
    /// runtime: a task keeps the leases.
    pub(crate) fn shared(limits: Limits, meter: Arc<RequestMeter>, share: Share) -> Arc<Gate> {
        let hungry = Arc::new(Notify::new());
        let gate = Arc::new(Gate {
            limiter: Mutex::new(Limiter::shared(limits, Duration::ZERO)),
            began: Instant::now(),
            changed: Notify::new(),
            meter,
            hungry: Some(Arc::clone(&hungry)),
        });
        tokio::spawn(keep(Arc::downgrade(&gate), share, limits, hungry));
        gate
    }

    /// The gate's time at a moment.
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

    /// Runs `decide` with the limiter and the time since the gate opened.
    pub(crate) fn with<T>(&self, decide: impl FnOnce(&mut Limiter, Duration) -> T) -> T {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = decide(&mut limiter, self.began.elapsed());
        self.meter.rate_is(limiter.rate());
        self.meter.in_flight_is(limiter.in_flight());
        if let Some(hungry) = self.hungry.as_ref().filter(|_| limiter.is_hungry()) {
            hungry.notify_one();
        }
        decided
    }

    /// Waits until the limiter lets a request to `endpoint` through.
    pub(crate) async fn admit(self: &Arc<Self>, endpoint: &Arc<str>) -> Admission {
        loop {
            // Registered before asking, so that no change in between is missed.
            let changed = self.changed.notified();
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
        Admission { gate: Arc::clone(self), endpoint: Arc::clone(endpoint), sent, ended: false }
    }

    /// Waits until a time of the gate's clock.
    pub(crate) async fn sleep_until(&self, at: Duration) {
        tokio::time::sleep_until(self.began + at).await;
    }

    /// Completes when a request has ended since this was called.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(hungry) = &self.hungry {
            // Whoever keeps the leases gives them back.
            hungry.notify_one();
        }
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
        self.gate.with(|limiter, now| limiter.ended(&self.endpoint, self.sent, answer, now));
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.finish(Answer::Other);
    }
}
