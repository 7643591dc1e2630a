//! Spans that leave for a collector, by OTLP.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use protocol::TRACE;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::LoggingError;

/// How long the end of the program waits for a collector that does not answer.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Below the endpoint, where traces go: the protocol says so.
const PATH: &str = "/v1/traces";

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// A collector that takes OTLP over HTTP, such as `http://localhost:4318`.
    pub endpoint: String,
    /// What this program is called there.
    pub service: String,
}

/// Sends spans for as long as it lives; when it is dropped, those that wait are sent, for at most three seconds.
#[derive(Debug)]
#[must_use = "nothing is sent any more once this is dropped"]
pub struct Exporting(SdkTracerProvider);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_WORDS) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl Traces {
    /// Begins to send. Nothing is asked of the collector yet.
    pub(crate) fn begin(&self) -> Result<(Exporting, SdkTracer), LoggingError> {
        let refused = |why: &dyn std::fmt::Display| LoggingError::Traces {
            endpoint: crate::redact_text(&self.endpoint).into_owned(),
            why: why.to_string(),
        };
        let known = ["http://", "https://"].iter().any(|scheme| self.endpoint.starts_with(scheme));
        if !known {
            return Err(refused(&"it begins with neither http:// nor https://"));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{PATH}", self.endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| refused(&error))?;
        let resource = Resource::builder().with_service_name(self.service.clone()).build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("sync-engine");
        Ok((Exporting(provider), tracer))
    }
}

/// What takes our spans, and no others: not those of libraries, and not the log.
pub(crate) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACE);
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    layer.with_location(false).with_threads(false).with_filter(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused() {
        let traces = Traces { endpoint: "localhost:4318".to_owned(), service: "s".to_owned() };
        let error = traces.begin().unwrap_err().to_string();
        assert!(error.contains("`localhost:4318`") && error.contains("http://"), "{error}");
    }
}
