//! What becomes of a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chance::{below, draw, unit};

/// How events are delivered to webhook endpoints and Stripe CLI sessions. Shares are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// Deliveries that are never made.
    pub dropped: f64,
    /// Deliveries that are made twice.
    pub duplicated: f64,
    /// Deliveries that wait up to `delay_ms`, so that others overtake them.
    pub delayed: f64,
    /// Milliseconds, at most, of a delay.
    pub delay_ms: u64,
    /// Milliseconds before the first retry of a delivery that was not answered by 2xx; each further one waits
    /// twice as long. Stripe takes hours.
    pub retry_ms: u64,
    /// Retries, at most. Stripe retries for three days, about 16 times.
    pub retries: u32,
    /// Milliseconds that an endpoint has for its answer.
    pub timeout_ms: u64,
    /// Seconds after which a WebSocket is to be closed, as the session is told (`reconnect_delay`).
    pub reconnect_seconds: u64,
    /// After so many events a WebSocket breaks off; 0: never.
    pub break_after: u64,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            dropped: 0.0,
            duplicated: 0.0,
            delayed: 0.0,
            delay_ms: 500,
            retry_ms: 200,
            retries: 16,
            timeout_ms: 10_000,
            reconnect_seconds: 60,
            break_after: 0,
        }
    }
}

impl DeliverySettings {
    /// How long the copies of a delivery wait: none for a delivery that is never made.
    pub(crate) fn copies(&self, seed: u64, number: u64) -> Vec<Duration> {
        let falls = |salt: u64, share: f64| unit(draw(seed, number, salt)) < share;
        if falls(0xd0, self.dropped) {
            return Vec::new();
        }
        let wait = |salt: u64| match falls(salt, self.delayed) {
            true => Duration::from_millis(1 + below(draw(seed, number, salt + 1), self.delay_ms.max(1))),
            false => Duration::ZERO,
        };
        match falls(0xd1, self.duplicated) {
            true => vec![wait(0xd2), wait(0xd4)],
            false => vec![wait(0xd2)],
        }
    }

    /// How long to wait before retry number `retry`, counted from 0; `None` when there are no more.
    pub(crate) fn retry(&self, retry: u32) -> Option<Duration> {
        let factor = 1u64 << retry.min(20);
        (retry < self.retries).then(|| Duration::from_millis(self.retry_ms.saturating_mul(factor)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept() {
        let settings =
            DeliverySettings { dropped: 0.2, duplicated: 0.3, delayed: 0.5, ..DeliverySettings::default() };
        let copies: Vec<Vec<Duration>> = (0..1_000).map(|number| settings.copies(1, number)).collect();
        let count = |fits: &dyn Fn(&Vec<Duration>) -> bool| copies.iter().filter(|c| fits(c)).count();
        assert!((150..250).contains(&count(&|copies| copies.is_empty())));
        assert!((180..300).contains(&count(&|copies| copies.len() == 2)));
        assert!(count(&|copies| copies.iter().any(|wait| !wait.is_zero())) > 350);
        assert_eq!(DeliverySettings::default().copies(1, 1), [Duration::ZERO]);
    }

    #[test]
    fn retries_wait_twice_as_long_each() {
        let settings = DeliverySettings { retry_ms: 10, retries: 3, ..DeliverySettings::default() };
        let waits: Vec<Option<u128>> = (0..4).map(|r| settings.retry(r).map(|w| w.as_millis())).collect();
        assert_eq!(waits, [Some(10), Some(20), Some(40), None]);
    }
}
