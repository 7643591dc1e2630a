//! What was asked and answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Numbers about the requests since the start or the last reset; the control API is not counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// All requests.
    pub requests: u64,
    /// Requests by status; a reset connection counts as status 0.
    pub by_status: BTreeMap<u16, u64>,
    /// By endpoint, e.g. `/v1/charges` or `/v1/charges/{charge}`; unknown URLs are under `unknown`.
    pub endpoints: BTreeMap<String, EndpointCounters>,
    /// Most requests at work at the same time.
    pub peak_concurrency: u64,
    /// Objects in answers, nested ones not counted.
    pub objects: u64,
    /// Bytes of answers' bodies.
    pub bytes: u64,
    /// When the first request came, in seconds since the simulator started.
    pub first_request: Option<f64>,
    /// When the last request came, in seconds since the simulator started.
    pub last_request: Option<f64>,
    /// By second since the simulator started; seconds without a request are left out.
    #[serde(default)]
    pub seconds: BTreeMap<u64, SecondCounters>,
    #[serde(skip)]
    at_work: u64,
}

/// Numbers about the requests that came within a second, or several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondCounters {
    /// All of them that were answered.
    pub requests: u64,
    /// Those answered by 429.
    pub limited: u64,
}

impl SecondCounters {
    /// The share of 429s, between 0 and 1; 0 without requests.
    pub fn limited_share(&self) -> f64 {
        self.limited as f64 / self.requests.max(1) as f64
    }

    /// Requests that were let through.
    pub fn passed(&self) -> u64 {
        self.requests - self.limited
    }
}

/// Numbers about one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointCounters {
    /// Its requests.
    pub requests: u64,
    /// When the last of them came, in seconds since the simulator started.
    #[serde(default)]
    pub last_request: Option<f64>,
    /// Its requests by status; a reset connection counts as status 0.
    pub by_status: BTreeMap<u16, u64>,
    /// Most requests at work at the same time.
    pub peak_concurrency: u64,
    /// Objects in its answers.
    pub objects: u64,
    #[serde(skip)]
    at_work: u64,
}

impl Counters {
    /// Requests to one endpoint.
    pub fn requests_to(&self, endpoint: &str) -> u64 {
        self.endpoints.get(endpoint).map_or(0, |counters| counters.requests)
    }

    /// Answers with this status.
    pub fn with_status(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// The requests of the whole seconds from `from` up to `to`, which are counted from the first request.
    pub fn between(&self, from: u64, to: u64) -> SecondCounters {
        let Some(first) = self.first_request else { return SecondCounters::default() };
        let first = first.ceil() as u64;
        let mut sum = SecondCounters::default();
        for second in self.seconds.range(first.saturating_add(from)..first.saturating_add(to)).map(|(_, s)| s)
        {
            sum.requests += second.requests;
            sum.limited += second.limited;
        }
        sum
    }

    /// The requests after so many seconds from the first one.
    pub fn after(&self, seconds: u64) -> SecondCounters {
        self.between(seconds, u64::MAX)
    }

    /// Adds what another account was asked.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.peak_concurrency = self.peak_concurrency.max(other.peak_concurrency);
        let both = |a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(pick(a, b)),
            (a, b) => a.or(b),
        };
        self.first_request = both(self.first_request, other.first_request, f64::min);
        self.last_request = both(self.last_request, other.last_request, f64::max);
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        for (second, counters) in &other.seconds {
            let own = self.seconds.entry(*second).or_default();
            own.requests += counters.requests;
            own.limited += counters.limited;
        }
        for (endpoint, counters) in &other.endpoints {
            let own = self.endpoints.entry(endpoint.clone()).or_default();
            own.requests += counters.requests;
            own.last_request = both(own.last_request, counters.last_request, f64::max);
            own.objects += counters.objects;
            own.peak_concurrency = own.peak_concurrency.max(counters.peak_concurrency);
            for (status, count) in &counters.by_status {
                *own.by_status.entry(*status).or_default() += count;
            }
        }
    }

    pub(crate) fn begin(&mut self, endpoint: &str, now: Duration) {
        self.requests += 1;
        self.first_request.get_or_insert(now.as_secs_f64());
        self.last_request = Some(now.as_secs_f64());
        self.at_work += 1;
        self.peak_concurrency = self.peak_concurrency.max(self.at_work);
        if !self.endpoints.contains_key(endpoint) {
            self.endpoints.insert(endpoint.to_owned(), EndpointCounters::default());
        }
        if let Some(own) = self.endpoints.get_mut(endpoint) {
            own.requests += 1;
            own.last_request = Some(now.as_secs_f64());
            own.at_work += 1;
            own.peak_concurrency = own.peak_concurrency.max(own.at_work);
        }
    }

    /// A request that came at `begun` is over.
    pub(crate) fn end(&mut self, endpoint: &str, begun: Duration, status: u16, objects: u64, bytes: u64) {
        let second = self.seconds.entry(begun.as_secs()).or_default();
        second.requests += 1;
        second.limited += u64::from(status == 429);
        *self.by_status.entry(status).or_default() += 1;
        self.objects += objects;
        self.bytes += bytes;
        self.at_work = self.at_work.saturating_sub(1);
        if let Some(own) = self.endpoints.get_mut(endpoint) {
            *own.by_status.entry(status).or_default() += 1;
            own.objects += objects;
            own.at_work = own.at_work.saturating_sub(1);
        }
    }

    /// Starts counting anew; requests at work stay at work.
    pub(crate) fn reset(&mut self) {
        let endpoints = std::mem::take(&mut self.endpoints).into_iter().map(|(name, old)| {
            (name, EndpointCounters { at_work: old.at_work, ..EndpointCounters::default() })
        });
        *self = Self { at_work: self.at_work, endpoints: endpoints.collect(), ..Self::default() };
    }
}
