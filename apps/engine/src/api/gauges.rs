//! Figures of what the server does.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Server;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    operation: &'static str,
}

/// All figures.
pub(super) struct Gauges {
    registry: Registry,
    requests: Family<Asked, Counter>,
    seconds: Histogram,
    messages: Family<Of, Counter>,
    records: Family<Of, Counter>,
    gone: Family<Of, Counter>,
}

impl Default for Gauges {
    fn default() -> Gauges {
        let gauges = Gauges {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 4.0, 8)),
            messages: Family::default(),
            records: Family::default(),
            gone: Family::default(),
        };
        let mut registry = Registry::with_prefix("sync_engine");
        let Gauges { requests, seconds, messages, records, gone, .. } = &gauges;
        registry.register("http_requests", "Requests by path and status", requests.clone());
        registry.register("http_response_seconds", "Seconds until an answer began", seconds.clone());
        registry.register("messages", "Messages told to clients", messages.clone());
        registry.register("records_synced", "Records that syncs made durable", records.clone());
        registry.register("client_disconnects", "Streams whose client went away", gone.clone());
        Gauges { registry, ..gauges }
    }
}

impl Gauges {
    /// All figures as text.
    pub(super) fn text(&self) -> String {
        let mut encoded = String::new();
        if let Err(error) = text::encode(&mut encoded, &self.registry) {
            tracing::error!(error = &error as &dyn std::error::Error, "the metrics cannot be written");
        }
        encoded
    }

    /// The figures of one operation.
    pub(super) fn heard(&self, operation: &'static str) -> Heard {
        let of = Of { operation };
        Heard {
            messages: self.messages.get_or_create(&of).clone(),
            records: self.records.get_or_create(&of).clone(),
            gone: self.gone.get_or_create(&of).clone(),
        }
    }
}

/// What a client heard.
pub(super) struct Heard {
    messages: Counter,
    records: Counter,
    gone: Counter,
}

impl Heard {
    /// One more message.
    pub(super) fn message(&self) {
        self.messages.inc();
    }

    /// So many more records.
    pub(super) fn records(&self, count: u64) {
        self.records.inc_by(count);
    }

    /// The client went away.
    pub(super) fn gone(&self) {
        self.gone.inc();
    }
}

/// Middleware: counts requests. Paths that do not exist count as one.
pub(super) async fn count(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    server.gauges.seconds.observe(started.elapsed().as_secs_f64());
    server.gauges.requests.get_or_create(&Asked { path, status: response.status().as_u16() }).inc();
    response
}
