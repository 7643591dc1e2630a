//! Figures of the service, for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Server;
use crate::service::Service;

/// Seconds until a webhook is acknowledged.
const ACKNOWLEDGED: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    status: String,
}

/// All figures.
pub(super) struct Figures {
    registry: Registry,
    requests: Family<Asked, Counter>,
    webhooks: Family<Answered, Counter>,
    acknowledged: Histogram,
    pipelines: Family<Standing, Gauge>,
    waiting: Gauge<i64, AtomicI64>,
    lag: Gauge<f64, AtomicU64>,
    attempts: Gauge<i64, AtomicI64>,
}

impl Figures {
    /// Figures from zero, beside `lots`: the transactions that the intake of webhooks counts.
    pub(super) fn new(lots: Counter) -> Figures {
        let mut figures = Figures {
            registry: Registry::default(),
            requests: Family::default(),
            webhooks: Family::default(),
            acknowledged: Histogram::new(ACKNOWLEDGED),
            pipelines: Family::default(),
            waiting: Gauge::default(),
            lag: Gauge::default(),
            attempts: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("sync_service");
        let Figures { requests, webhooks, acknowledged, pipelines, waiting, lag, attempts, .. } = &figures;
        registry.register("http_requests", "Requests by path and status", requests.clone());
        registry.register("webhooks", "Webhooks by the status of their answer", webhooks.clone());
        let words = "Time until a webhook is answered";
        registry.register_with_unit("webhook_answer", words, Unit::Seconds, acknowledged.clone());
        registry.register("pipelines", "Pipelines by status", pipelines.clone());
        registry.register("deliveries_waiting", "Webhooks that are stored and not applied", waiting.clone());
        let words = "The longest time for which a pipeline has not been brought up to date";
        registry.register_with_unit("lag", words, Unit::Seconds, lag.clone());
        registry.register(
            "failing_attempts",
            "Attempts in vain of all pipelines that fail at present",
            attempts.clone(),
        );
        registry.register("webhook_lots", "Transactions by which webhooks were stored", lots);
        figures.registry = registry;
        figures
    }

    /// A webhook was answered.
    pub(super) fn webhook(&self, status: StatusCode, after: Duration) {
        self.webhooks.get_or_create(&Answered { status: status.as_u16() }).inc();
        self.acknowledged.observe(after.as_secs_f64());
    }

    /// All figures as text. Those of pipelines are as the store says now; where it cannot be asked, they are as before.
    pub(super) async fn text(&self, service: &Service) -> String {
        let store = service.store();
        if let (Ok(records), Ok(waiting), Ok(now)) =
            (store.all().await, store.all_waiting().await, store.now().await)
        {
            self.pipelines.clear();
            let (mut attempts, mut lag) = (0, 0i64);
            for record in &records {
                let status = serde_json::to_value(record.status()).unwrap_or_default();
                let status = status.as_str().unwrap_or_default().to_owned();
                self.pipelines.get_or_create(&Standing { status }).inc();
                attempts += record.standing.problem.as_ref().map_or(0, |problem| i64::from(problem.attempts));
                lag = lag.max(record.standing.followed_at.map_or(0, |at| now.saturating_sub(at)));
            }
            self.waiting.set(waiting);
            self.attempts.set(attempts);
            self.lag.set(lag as f64 / 1000.0);
        }
        let mut encoded = String::new();
        if let Err(error) = text::encode(&mut encoded, &self.registry) {
            tracing::error!(error = %error, "the metrics cannot be written");
        }
        encoded
    }
}

/// Middleware: counts requests. Paths that do not exist count as one.
pub(super) async fn count(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    server.figures.requests.get_or_create(&Asked { path, status }).inc();
    response
}
