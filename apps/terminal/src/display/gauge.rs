//! Rates over the last few seconds.

use std::collections::{HashMap, VecDeque};

/// How far back a rate looks.
const WINDOW_MS: u64 = 5_000;

/// At least this long between two samples that are kept.
const STEP_MS: u64 = 250;

/// The rate at which a count grows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauge {
    /// Milliseconds and count.
    samples: VecDeque<(u64, u64)>,
}

impl Gauge {
    /// The count at a time; times do not go back.
    pub(crate) fn observe(&mut self, now_ms: u64, count: u64) {
        let tight = self.samples.len() > 1
            && self.samples.iter().nth_back(1).is_some_and(|(at, _)| now_ms < at + STEP_MS);
        if tight {
            self.samples.pop_back();
        }
        self.samples.push_back((now_ms, count));
        while self.samples.len() > 2 && self.samples[1].0 + WINDOW_MS <= now_ms {
            self.samples.pop_front();
        }
    }

    /// Per second, over the window, or over one second where less has passed.
    pub(crate) fn rate(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((first_at, first)), Some((last_at, last))) if last_at > first_at => {
                last.saturating_sub(*first) as f64 * 1000.0 / (last_at - first_at).max(1000) as f64
            }
            _ => 0.0,
        }
    }
}

/// The gauges of a sync.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges {
    pub(crate) streams: HashMap<String, Gauge>,
    pub(crate) records: Gauge,
    pub(crate) requests: Gauge,
}

impl Gauges {
    pub(crate) fn stream_rate(&self, name: &str) -> f64 {
        self.streams.get(name).map_or(0.0, Gauge::rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_last_seconds_only() {
        let mut gauge = Gauge::default();
        assert_eq!(gauge.rate(), 0.0);
        for second in 0..10 {
            gauge.observe(second * 1000, second * 100);
        }
        assert_eq!(gauge.rate(), 100.0);
        for second in 10..20 {
            gauge.observe(second * 1000, 900);
        }
        assert_eq!(gauge.rate(), 0.0);
    }

    #[test]
    fn many_samples_are_few() {
        let mut gauge = Gauge::default();
        for at in 0..100_000 {
            gauge.observe(at, at);
        }
        assert!(gauge.samples.len() <= 25, "{}", gauge.samples.len());
        assert!((gauge.rate() - 1000.0).abs() < 1.0);
    }
}
