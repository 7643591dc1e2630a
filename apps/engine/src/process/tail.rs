//! What a process says on stderr.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::airbyte::Secrets;

/// Last lines that are told with a failure.
const LINES: usize = 20;

/// The longest that is kept of a line.
const BYTES: usize = 4 << 10;

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<String>);

impl Tail {
    fn add(&mut self, line: String) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    /// The lines behind a colon; nothing where there are none.
    pub(super) fn told(&self) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            format!(": {}", Vec::from_iter(self.0.iter().map(String::as_str)).join("\n"))
        }
    }
}

/// Logs each line, and keeps the last ones, until the process closes its stderr.
pub(super) async fn listen(
    name: String,
    mut stderr: impl AsyncBufRead + Unpin,
    tail: Arc<Mutex<Tail>>,
    hidden: Secrets,
) {
    let mut line = Vec::new();
    loop {
        let Ok(some) = stderr.fill_buf().await else { return };
        if some.is_empty() {
            break;
        }
        let (taken, ends) = match some.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (some.len(), false),
        };
        let room = BYTES.saturating_sub(line.len()).min(taken);
        line.extend_from_slice(&some[..room]);
        stderr.consume(taken);
        if ends {
            heard(&name, &line, &tail, &hidden);
            line.clear();
        }
    }
    if !line.is_empty() {
        heard(&name, &line, &tail, &hidden);
    }
}

fn heard(name: &str, line: &[u8], tail: &Mutex<Tail>, hidden: &Secrets) {
    let text = String::from_utf8_lossy(line);
    let text = hidden.hide(text.trim_end());
    if text.is_empty() {
        return;
    }
    tracing::info!(connector = name, "{text}");
    tail.lock().unwrap_or_else(PoisonError::into_inner).add(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_in_bounded_memory() {
        let mut said = String::new();
        for number in 0..30 {
            said += &format!("line {number}\n");
        }
        said += &"x".repeat(3 * BYTES);
        let tail = Arc::default();
        listen("x".to_owned(), said.as_bytes(), Arc::clone(&tail), Secrets::default()).await;
        let told = tail.lock().unwrap().told();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[18]), (20, ": line 11", "line 29"));
        assert_eq!(lines[19].len(), BYTES);
    }
}
