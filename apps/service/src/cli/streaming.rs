//! Answers of lines, as they come.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use protocol::Message;
use terminal::failure::Failure;

/// The lines of an answer. Blank ones, which only say that the work goes on, are left out.
pub(super) struct Lines {
    body: BoxStream<'static, std::io::Result<Bytes>>,
    begun: BytesMut,
    ended: bool,
}

impl Lines {
    pub(super) fn new(body: BoxStream<'static, std::io::Result<Bytes>>) -> Lines {
        Lines { body, begun: BytesMut::new(), ended: false }
    }

    /// The next line, without its line feed.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line = self.begun.split_to(end + 1).freeze();
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line.slice(..end)));
                }
                continue;
            }
            if self.ended {
                let last = self.begun.split().freeze();
                return Ok(Some(last).filter(|last| !last.trim_ascii().is_empty()));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.begun.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(Failure::failed(format!("the answer broke off: {error}"))),
                None => self.ended = true,
            }
        }
    }

    /// The next line as a message, with the line itself.
    pub(super) async fn message(&mut self) -> Result<Option<(Message, Bytes)>, Failure> {
        let Some(line) = self.next().await? else { return Ok(None) };
        let message = serde_json::from_slice(&line)
            .map_err(|error| Failure::failed(format!("the service said what is no message: {error}")))?;
        Ok(Some((message, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_put_together_and_blank_ones_left_out() {
        let parts = ["{\"a\"", ":1}\n\n", "  \n{\"b\":2}\n{\"c\"", ":3}"].map(|part| Ok(Bytes::from(part)));
        let mut lines = Lines::new(futures::stream::iter(parts).boxed());
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            read.push(String::from_utf8(line.to_vec()).unwrap());
        }
        assert_eq!(read, [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_told() {
        let parts = [Ok(Bytes::from("{}\n{\"a")), Err(std::io::Error::other("reset"))];
        let mut lines = Lines::new(futures::stream::iter(parts).boxed());
        assert!(lines.next().await.unwrap().is_some());
        assert!(lines.next().await.unwrap_err().text().unwrap().contains("reset"));
    }
}
