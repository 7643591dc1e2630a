//! What connectors say, in the log.

use protocol::{Log, LogLevel};

use crate::SERVER_ONLY;

/// An entry at the level of a `log` message, with its fields as JSON. A target is part of the code that logs.
macro_rules! enter {
    ($target:expr, $log:expr) => {{
        let Log { level, message, data } = $log;
        let data = data.as_ref().filter(|data| !data.is_empty());
        let data = data.map(|data| serde_json::Value::Object(data.clone()).to_string());
        let data = data.as_deref();
        match level {
            LogLevel::Debug => tracing::debug!(target: $target, data, "{message}"),
            LogLevel::Info => tracing::info!(target: $target, data, "{message}"),
            LogLevel::Warn => tracing::warn!(target: $target, data, "{message}"),
            LogLevel::Error => tracing::error!(target: $target, data, "{message}"),
        }
    }};
}

/// Logs what a connector said by a `log` message, at its level.
pub fn relog(log: &Log) {
    enter!("connector", log);
}

/// As [`relog`], for a server whose client is told the message itself.
pub fn relog_on_server(log: &Log) {
    enter!(SERVER_ONLY, log);
}
