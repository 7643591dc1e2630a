//! Entries of a pipeline's log.

use protocol::LogLevel;
use serde_json::Value;
use service::store::Entry;

use super::Paint;
use super::time::moment;

/// `2026-11-29 08:00:01  warn   the sentence  name=value`.
pub(in crate::cli) fn entry(entry: &Entry, paint: Paint) -> String {
    let code = match entry.level {
        LogLevel::Debug => "90",
        LogLevel::Info => "32",
        LogLevel::Warn => "33",
        LogLevel::Error => "31",
    };
    let word = format!("{:5}", entry.level.as_str());
    let at = moment(entry.at);
    let data = entry.data.iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!(" {name}={text}"),
        other => format!(" {name}={other}"),
    });
    let data: String = data.collect();
    let data = if data.is_empty() { data } else { paint.dim(&format!(" {data}")) };
    format!("{}  {}  {}{data}", paint.dim(&at), paint.code(&word, code), entry.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_one_line() {
        let read = |value: Value| serde_json::from_value::<Entry>(value).unwrap();
        let plain = read(
            json!({"sequence": 1, "at": "1970-01-01T00:00:01.000Z", "level": "info", "message": "set up"}),
        );
        assert_eq!(entry(&plain, Paint(false)), "1970-01-01 00:00:01  info   set up");
        let more = read(json!({
            "sequence": 2, "at": "1970-01-01T00:00:00.000Z", "level": "error", "message": "failed",
            "data": {"stream": "charge", "rows": 3},
        }));
        assert_eq!(entry(&more, Paint(false)), "1970-01-01 00:00:00  error  failed  stream=charge rows=3");
    }
}
