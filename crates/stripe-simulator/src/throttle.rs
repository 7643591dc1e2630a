//! Stripe's rate limits: pure, the time is passed in.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many requests are let through. `None` means without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per second over all endpoints.
    pub global_per_second: Option<u32>,
    /// Requests per second to each endpoint.
    pub endpoint_per_second: Option<u32>,
    /// Requests at work at the same time.
    pub global_concurrency: Option<u32>,
    /// Requests at work at the same time per endpoint.
    pub endpoint_concurrency: Option<u32>,
    /// Seconds that `Retry-After` names with a 429; without it the header is left out.
    pub retry_after: Option<u64>,
}

impl Limits {
    /// Stripe's limits in live mode: 100 requests per second, 25 per endpoint.
    pub fn live() -> Self {
        Self { global_per_second: Some(100), endpoint_per_second: Some(25), ..Self::default() }
    }

    /// Stripe's limits in a sandbox: 25 requests per second, 25 per endpoint.
    pub fn test() -> Self {
        Self { global_per_second: Some(25), ..Self::live() }
    }
}

/// Why a request was not let through, as `Stripe-Rate-Limited-Reason` says it.
pub(crate) type Reason = &'static str;

/// Lets requests through or not.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    limits: Limits,
    /// The share of the global limit per second that somebody else uses.
    pub(crate) taken: f64,
    global: Gate,
    endpoints: HashMap<String, Gate>,
}

impl Throttle {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// New limits, from a full second's worth of requests.
    pub(crate) fn set(&mut self, limits: Limits) {
        self.limits = limits;
        for gate in self.endpoints.values_mut().chain([&mut self.global]) {
            gate.spent = 0.0;
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets a request through, which must be released when it ends, or says why not.
    pub(crate) fn admit(&mut self, endpoint: &str, now: Duration) -> Result<(), Reason> {
        if !self.endpoints.contains_key(endpoint) {
            self.endpoints.insert(endpoint.to_owned(), Gate::default());
        }
        let Some(gate) = self.endpoints.get_mut(endpoint) else { return Ok(()) };
        let limits = &self.limits;
        let left = limits.global_per_second.map(|limit| f64::from(limit) * (1.0 - self.taken));
        if full(self.global.at_work, limits.global_concurrency) {
            return Err("global-concurrency");
        }
        if full(gate.at_work, limits.endpoint_concurrency) {
            return Err("endpoint-concurrency");
        }
        if !self.global.has_token(left, now) {
            return Err("global-rate");
        }
        if !gate.has_token(limits.endpoint_per_second.map(f64::from), now) {
            return Err("endpoint-rate");
        }
        for gate in [&mut self.global, gate] {
            gate.spent += 1.0;
            gate.at_work += 1;
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, endpoint: &str) {
        self.global.at_work = self.global.at_work.saturating_sub(1);
        if let Some(gate) = self.endpoints.get_mut(endpoint) {
            gate.at_work = gate.at_work.saturating_sub(1);
        }
    }
}

fn full(at_work: u32, limit: Option<u32>) -> bool {
    limit.is_some_and(|limit| at_work >= limit)
}

/// A bucket of one second's tokens, counted from full.
#[derive(Debug, Default)]
struct Gate {
    spent: f64,
    refilled: Duration,
    at_work: u32,
}

impl Gate {
    fn has_token(&mut self, limit: Option<f64>, now: Duration) -> bool {
        let Some(limit) = limit else {
            self.spent = 0.0;
            self.refilled = now;
            return true;
        };
        let gained = now.saturating_sub(self.refilled).as_secs_f64() * limit;
        self.spent = (self.spent - gained).max(0.0);
        self.refilled = now;
        self.spent + 1.0 <= limit + 1e-6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(throttle: &mut Throttle, endpoint: &str, now: Duration, tries: u32) -> (u32, Option<Reason>) {
        let mut last = None;
        let passed = (0..tries).filter(|_| match throttle.admit(endpoint, now) {
            Ok(()) => {
                throttle.release(endpoint);
                true
            }
            Err(reason) => {
                last = Some(reason);
                false
            }
        });
        (passed.count() as u32, last)
    }

    #[test]
    fn endpoints_are_limited_before_the_account() {
        let mut throttle = Throttle::new(Limits::live());
        let now = Duration::from_secs(5);
        assert_eq!(admitted(&mut throttle, "/v1/a", now, 40), (25, Some("endpoint-rate")));
        assert_eq!(admitted(&mut throttle, "/v1/b", now, 25), (25, None));
        assert_eq!(admitted(&mut throttle, "/v1/c", now, 25), (25, None));
        assert_eq!(admitted(&mut throttle, "/v1/d", now, 25), (25, None));
        assert_eq!(admitted(&mut throttle, "/v1/e", now, 9), (0, Some("global-rate")));
        assert_eq!(admitted(&mut throttle, "/v1/a", now + Duration::from_millis(200), 40).0, 5);
    }

    #[test]
    fn a_client_at_the_limit_is_never_refused() {
        let mut throttle = Throttle::new(Limits::test());
        for request in 0..200u32 {
            let now = Duration::from_secs_f64(f64::from(request) / 25.0);
            assert_eq!(admitted(&mut throttle, "/v1/a", now, 1), (1, None), "request {request}");
        }
    }

    #[test]
    fn a_share_can_be_taken_and_given_back() {
        let mut throttle = Throttle::new(Limits::live());
        let many = |throttle: &mut Throttle, second: u64| -> u32 {
            let now = Duration::from_secs(second);
            ["/v1/a", "/v1/b", "/v1/c", "/v1/d"].map(|path| admitted(throttle, path, now, 30).0).iter().sum()
        };
        assert_eq!(many(&mut throttle, 5), 100);
        throttle.taken = 0.5;
        assert_eq!(many(&mut throttle, 10), 50);
        throttle.taken = 1.0;
        assert_eq!(many(&mut throttle, 15), 0);
        throttle.taken = 0.0;
        assert_eq!(many(&mut throttle, 20), 100);
    }

    #[test]
    fn work_in_progress_is_limited_until_released() {
        let limits =
            Limits { global_concurrency: Some(3), endpoint_concurrency: Some(2), ..Limits::default() };
        let mut throttle = Throttle::new(limits);
        let now = Duration::ZERO;
        assert_eq!(throttle.admit("a", now), Ok(()));
        assert_eq!(throttle.admit("a", now), Ok(()));
        assert_eq!(throttle.admit("a", now), Err("endpoint-concurrency"));
        assert_eq!(throttle.admit("b", now), Ok(()));
        assert_eq!(throttle.admit("b", now), Err("global-concurrency"));
        throttle.release("a");
        assert_eq!(throttle.admit("b", now), Ok(()));
    }
}
