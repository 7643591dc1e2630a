//! What connectors say, in the log.

use protocol::{Log, LogLevel};

/// Logs what a connector said by a `log` message, at its level.
pub fn relog(log: &Log) {
    let Log { level, message, data } = log;
    let data = data.as_ref().filter(|data| !data.is_empty());
    let data = data.map(|data| serde_json::Value::Object(data.clone()).to_string());
    let data = data.as_deref();
    match level {
        LogLevel::Debug => tracing::debug!(target: "connector", data, "{message}"),
        LogLevel::Info => tracing::info!(target: "connector", data, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "connector", data, "{message}"),
        LogLevel::Error => tracing::error!(target: "connector", data, "{message}"),
    }
}
