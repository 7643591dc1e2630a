//! What the program says about its work: tracing set-up, redaction, log lines as protocol messages.
//!
//! Every event becomes an [`Entry`], secrets already hidden, and every entry one line in the chosen
//! [`Format`]. Where lines go is the caller's business (a [`LineSink`]): only applications know
//! about terminals.

mod entry;
mod install;
mod pretty;
mod redact;
mod relog;
mod request;

pub use entry::{Entry, Format};
pub use install::{LineSink, Logging, LoggingError, install};
pub use pretty::Prettifier;
pub use redact::{REDACTED, is_secret_name, redact_json, redact_text, redact_texts};
pub use relog::{relog, relog_on_server};
pub use request::{RequestLog, SERVER_ONLY};
