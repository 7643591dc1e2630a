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
    #[serde(skip)]
    at_work: u64,
}

/// Numbers about one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointCounters {
    /// Its requests.
    pub requests: u64,
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
            own.at_work += 1;
            own.peak_concurrency = own.peak_concurrency.max(own.at_work);
        }
    }

    pub(crate) fn end(&mut self, endpoint: &str, status: u16, objects: u64, bytes: u64) {
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
