//! What the program says about its work: tracing set-up, redaction, log lines as protocol messages.
//!
//! Every event becomes an [`Entry`], secrets already hidden, and every entry one line in the chosen
//! [`Format`]. Where lines go is the caller's business (a [`LineSink`]): only applications know
//! about terminals. With the feature `otel`, spans can also be sent to a collector.

mod entry;
mod install;
mod pretty;
mod redact;
mod relog;
mod request;
#[cfg(feature = "otel")]
mod traces;

pub use entry::{Entry, Format};
#[cfg(feature = "otel")]
pub use install::install_with_traces;
pub use install::{LEVELS, LineSink, Logging, LoggingError, install};
pub use pretty::Prettifier;
pub use redact::{REDACTED, is_secret_name, redact_json, redact_text, redact_texts};
pub use relog::{relog, relog_on_server};
pub use request::{RequestLog, SERVER_ONLY};
#[cfg(feature = "otel")]
pub use traces::{Exporting, Traces};
