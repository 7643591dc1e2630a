//! What is pushed into a source on stdin.

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};

use crate::{ConnectorError, DEFAULT_MAX_LINE_BYTES, InputStream, RawJson};

/// After so long it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(10);

/// The input, if there is any. A terminal or a null device holds none; neither does a pipe that ends without a byte.
pub(super) async fn pushed() -> Option<InputStream> {
    let kind = std::fs::metadata("/dev/stdin").ok()?.file_type();
    if !(kind.is_fifo() || kind.is_socket() || kind.is_file()) {
        return None;
    }
    let mut stdin = BufReader::new(tokio::io::stdin());
    let first = {
        let filled = stdin.fill_buf();
        tokio::pin!(filled);
        match tokio::time::timeout(SILENCE, &mut filled).await {
            Ok(first) => first.map(<[u8]>::len),
            Err(_) => {
                tracing::info!("waiting for push input on stdin; for a backfill close it (</dev/null)");
                filled.await.map(<[u8]>::len)
            }
        }
    };
    match first {
        Ok(0) => None,
        _ => Some(stream::unfold(Some((stdin, 1)), line).boxed()),
    }
}

type Reading = Option<(BufReader<Stdin>, u64)>;

async fn line(reading: Reading) -> Option<(Result<RawJson, ConnectorError>, Reading)> {
    let (mut stdin, mut number) = reading?;
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = stdin.read_until(b'\n', &mut text).await;
        let wrong = |problem: String| {
            Some((Err(ConnectorError::config(format!("stdin, line {number}: {problem}"))), None))
        };
        match read {
            Err(error) => return wrong(error.to_string()),
            Ok(0) => return None,
            Ok(_) if text.trim_ascii().is_empty() => number += 1,
            Ok(length) if length > DEFAULT_MAX_LINE_BYTES => return wrong("it is too long".to_owned()),
            Ok(_) => {
                return match unwrapped(&text) {
                    Ok(input) => Some((Ok(input), Some((stdin, number + 1)))),
                    Err(error) => wrong(error.to_string()),
                };
            }
        }
    }
}

/// The input itself, whether it comes in a `source_input` message or bare.
fn unwrapped(line: &[u8]) -> Result<RawJson, crate::RawJsonError> {
    let text = RawJson::parse(line.trim_ascii().to_vec())?;
    let is_message = |kind: &RawValue| kind.get() == r#""source_input""#;
    match text.members(["type", "source_input"]) {
        Ok([Some(kind), Some(input)]) if is_message(kind) => RawJson::parse(input.get().to_owned()),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_comes_bare_or_in_a_message() {
        let of = |line: &str| unwrapped(line.as_bytes()).unwrap().as_str().to_owned();
        assert_eq!(of(" {\"id\":\"evt_1\",\"type\":\"x\"}\n"), r#"{"id":"evt_1","type":"x"}"#);
        assert_eq!(of(r#"{"type":"source_input","source_input":{"id":1}}"#), r#"{"id":1}"#);
        assert!(unwrapped(b"{").is_err());
    }
}
