//! Figures of a read for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts requests while a read goes on. Cheap to read at any time; make one for each read to be watched.
#[derive(Debug, Default)]
pub struct RequestMeter {
    sent: AtomicU64,
    refused: AtomicU64,
    in_flight: AtomicU64,
    rate_millis: AtomicU64,
    expected: AtomicU64,
}

impl RequestMeter {
    /// Requests sent so far, repeated ones included.
    pub fn requests_sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Answers 429 so far.
    pub fn responses_429(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// Requests per second that are allowed at present, over all endpoints.
    pub fn allowed_rate(&self) -> f64 {
        self.rate_millis.load(Relaxed) as f64 / 1000.0
    }

    /// Requests that are believed to be needed yet. A guess, good once each stream's first pages are in.
    pub fn expected_requests(&self) -> u64 {
        self.expected.load(Relaxed)
    }

    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn in_flight_is(&self, count: usize) {
        self.in_flight.store(count as u64, Relaxed);
    }

    pub(crate) fn rate_is(&self, per_second: f64) {
        self.rate_millis.store((per_second * 1000.0) as u64, Relaxed);
    }

    pub(crate) fn expects(&self, requests: u64) {
        self.expected.store(requests, Relaxed);
    }
}
