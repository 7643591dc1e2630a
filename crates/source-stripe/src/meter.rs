//! Figures of a read for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts requests while a read goes on. Cheap to read at any time; make one for each read to be watched.
#[derive(Debug, Default)]
pub struct RequestMeter {
    /// Counts the same and more: what is counted here is a part of it.
    whole: Option<Arc<RequestMeter>>,
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

    /// A meter for a part, such as one of several accounts: what it counts is counted in `whole` too, as long as it lives.
    pub(crate) fn part_of(whole: &Arc<RequestMeter>) -> Arc<RequestMeter> {
        let mut part = RequestMeter::default();
        part.whole = Some(Arc::clone(whole));
        Arc::new(part)
    }

    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
        if let Some(whole) = &self.whole {
            whole.sent();
        }
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
        if let Some(whole) = &self.whole {
            whole.refused();
        }
    }

    pub(crate) fn in_flight_is(&self, count: usize) {
        self.set(|meter| &meter.in_flight, count as u64);
    }

    pub(crate) fn rate_is(&self, per_second: f64) {
        self.set(|meter| &meter.rate_millis, (per_second * 1000.0) as u64);
    }

    pub(crate) fn expects(&self, requests: u64) {
        self.set(|meter| &meter.expected, requests);
    }

    /// Sets a figure that is the sum of its parts.
    fn set(&self, figure: fn(&RequestMeter) -> &AtomicU64, to: u64) {
        let before = figure(self).swap(to, Relaxed);
        let mut above = self.whole.as_ref();
        while let Some(meter) = above {
            // Wraps around where it goes down, and back.
            figure(meter).fetch_add(to.wrapping_sub(before), Relaxed);
            above = meter.whole.as_ref();
        }
    }
}

impl Drop for RequestMeter {
    fn drop(&mut self) {
        for figure in [
            |meter: &RequestMeter| &meter.in_flight,
            |meter: &RequestMeter| &meter.rate_millis,
            |meter: &RequestMeter| &meter.expected,
        ] as [fn(&RequestMeter) -> &AtomicU64; 3]
        {
            self.set(figure, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_the_sum_of_its_parts() {
        let whole: Arc<RequestMeter> = Arc::default();
        let (one, two) = (RequestMeter::part_of(&whole), RequestMeter::part_of(&whole));
        one.expects(5);
        two.expects(7);
        one.expects(2);
        one.sent();
        two.sent();
        two.rate_is(20.0);
        assert_eq!((whole.expected_requests(), whole.requests_sent()), (9, 2));
        drop(two);
        assert_eq!((whole.expected_requests(), whole.requests_sent()), (2, 2));
        assert!(whole.allowed_rate() < 1.0);
    }
}
