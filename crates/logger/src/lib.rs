//! Tracing set-up, redaction and logs as protocol messages.
