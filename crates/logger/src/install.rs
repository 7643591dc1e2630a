//! Making tracing's events arrive.

use std::sync::Arc;

use protocol::{TRACE, Timestamp};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::entry::{Entry, Format};
use crate::request::{REQUEST, RequestLog};

/// Libraries whose own talk is of interest only when asked for by name.
const QUIET: &[&str] =
    &["h2", "hyper", "hyper_util", "reqwest", "rustls", "rustls_platform_verifier", "tokio_postgres"];

/// The levels that may be asked for, as they are told to users.
pub const LEVELS: &str = "off, error, warn, info, debug, trace";

/// Takes finished lines, in order, from any thread.
pub trait LineSink: Send + Sync + 'static {
    /// Writes one line; `line` has no line feed at its end. Must not log.
    fn line(&self, line: &str);
}

impl<F: Fn(&str) + Send + Sync + 'static> LineSink for F {
    fn line(&self, line: &str) {
        self(line);
    }
}

/// What is logged, how it looks, and where it goes.
pub struct Logging {
    /// One of [`LEVELS`], or directives such as `info,source_stripe=debug`.
    pub level: String,
    /// How it looks.
    pub format: Format,
    /// Where it goes.
    pub sink: Arc<dyn LineSink>,
}

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is neither a level nor directives.
    #[error("`{level}` is not a log level; use {LEVELS}, or directives such as info,source_stripe=debug")]
    Level {
        /// What was given.
        level: String,
    },
    /// Traces cannot be sent there.
    #[cfg(feature = "otel")]
    #[error("traces cannot be sent to `{endpoint}` (OTEL_EXPORTER_OTLP_ENDPOINT): {why}")]
    Traces {
        /// Where to.
        endpoint: String,
        /// Why not.
        why: String,
    },
    /// The process logs already.
    #[error("logging is set up already")]
    Installed,
}

/// Sets up logging for the whole process; once.
pub fn install(logging: Logging) -> Result<(), LoggingError> {
    let filter = filter(&logging.level)?;
    let lines = Lines { format: logging.format, sink: logging.sink };
    Registry::default().with(lines.with_filter(filter)).try_init().map_err(|_| LoggingError::Installed)
}

/// Sets up logging for the whole process, and sends its spans as `traces` says; once.
#[cfg(feature = "otel")]
pub fn install_with_traces(
    logging: Logging,
    traces: &crate::Traces,
) -> Result<crate::Exporting, LoggingError> {
    let filter = filter(&logging.level)?;
    let (exporting, tracer) = traces.begin()?;
    let lines = Lines { format: logging.format, sink: logging.sink };
    let subscriber = Registry::default().with(lines.with_filter(filter)).with(crate::traces::layer(tracer));
    subscriber.try_init().map_err(|_| LoggingError::Installed)?;
    Ok(exporting)
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let refused = || LoggingError::Level { level: level.to_owned() };
    let plain = level.trim().to_ascii_lowercase();
    let directives = if LEVELS.split(", ").any(|level| level == plain) {
        let quiet = if matches!(plain.as_str(), "off" | "error") { plain.as_str() } else { "warn" };
        QUIET.iter().fold(plain.clone(), |all, library| format!("{all},{library}={quiet}"))
    } else if plain.contains('=') {
        level.trim().to_owned()
    } else {
        return Err(refused());
    };
    // Whatever is logged, it is known whose it is.
    let directives = if plain == "off" { directives } else { format!("{directives},{REQUEST}=error") };
    // The log takes no part in what traces consist of, so without anybody who sends them they cost nothing.
    let directives = format!("{directives},{TRACE}=off");
    EnvFilter::try_new(directives).map_err(|_| refused())
}

struct Lines {
    format: Format,
    sink: Arc<dyn LineSink>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut entry = Entry::of(event, Timestamp::now());
        let mut scope = context.event_scope(event).into_iter().flatten();
        if let Some(request) = scope.find_map(|span| span.extensions().get::<Arc<RequestLog>>().cloned()) {
            request.adopt(&mut entry);
        }
        self.sink.line(&entry.line(self.format));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn events_become_lines_without_secrets() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
        let layer = Lines { format: Format::Protocol, sink };
        let subscriber = Registry::default().with(layer.with_filter(filter("info").unwrap()));
        tracing::subscriber::with_default(subscriber, || {
            let cause = std::io::Error::other("password=hunter2");
            tracing::error!(error = &cause as &dyn std::error::Error, rows = 5_u64, "lost {}", "sk_live_9");
            tracing::debug!("not shown");
            tracing::info!(target: "hyper", "not shown");
        });
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(r#""message":"lost sk_live_[redacted]""#), "{}", lines[0]);
        assert!(lines[0].contains(r#""error":"password=[redacted]","rows":5"#), "{}", lines[0]);
    }

    #[test]
    fn each_request_hears_its_own_entries_and_no_others() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
        let layer = Lines { format: Format::Protocol, sink };
        let subscriber = Registry::default().with(layer.with_filter(filter("warn").unwrap()));
        tracing::subscriber::with_default(subscriber, || {
            let one = RequestLog::new("r1".to_owned(), Some("a1".to_owned()));
            let other = RequestLog::new("r2".to_owned(), None);
            one.set_run_id("run");
            one.span().in_scope(|| {
                tracing::warn!(rows = 1, "from one");
                tracing::info!("below the level");
                tracing::warn!(target: crate::SERVER_ONLY, "not for clients");
                other.span().in_scope(|| tracing::warn!("from the other"));
            });
            tracing::warn!("from nobody");
            let heard = |log: &RequestLog| {
                let taken: Vec<_> = log.take().iter().map(|m| serde_json::to_value(m).unwrap()).collect();
                taken
            };
            let (one, other) = (heard(&one), heard(&other));
            assert_eq!((one.len(), other.len()), (1, 1), "{one:?} {other:?}");
            assert_eq!(one[0]["log"]["message"], "from one");
            let data = &one[0]["log"]["data"];
            assert_eq!((&data["sync_engine_request_id"], &data["action_id"]), (&"r1".into(), &"a1".into()));
            assert_eq!((&data["run_id"], &data["rows"]), (&"run".into(), &1.into()));
            assert_eq!(other[0]["log"]["data"]["action_id"], serde_json::Value::Null);
        });
        assert_eq!(lines.lock().unwrap().len(), 4, "the server keeps all");
    }

    #[test]
    fn a_client_that_does_not_read_costs_no_memory() {
        let log = RequestLog::new("r".to_owned(), None);
        for _ in 0..1500 {
            let at = Timestamp::UNIX_EPOCH;
            let fields = serde_json::Map::new();
            log.adopt(&mut Entry::new(at, protocol::LogLevel::Info, "engine", "again", fields));
        }
        let taken = log.take();
        assert_eq!(taken.len(), 1001);
        let first = serde_json::to_string(&taken[0]).unwrap();
        assert!(first.contains("500 entries of the log were left out"), "{first}");
        assert!(log.take().is_empty());
    }

    #[test]
    fn only_levels_and_directives_are_levels() {
        for level in ["info", "WARN", "off", "info,engine=trace"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["loud", "", "info,=,="] {
            assert!(filter(level).is_err(), "{level}");
        }
    }
}
