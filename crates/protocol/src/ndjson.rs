//! Messages as lines of JSON.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Message;

/// The longest line that is read unless told otherwise: 64 MiB.
pub const DEFAULT_MAX_LINE_BYTES: usize = 64 << 20;

/// How much is asked of the reader at a time.
const READ_BYTES: usize = 64 << 10;

/// Why a stream of lines cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum NdjsonError {
    /// A line is not a message.
    #[error("line {line} (at byte {offset}) is not a message: {source}")]
    Message {
        /// Counted from 1.
        line: u64,
        /// Where the line begins in the stream.
        offset: u64,
        /// What is wrong, with the column.
        source: serde_json::Error,
    },
    /// A line is too long to be held in memory.
    #[error("line {line} (at byte {offset}) is longer than {limit} bytes")]
    TooLong {
        /// Counted from 1.
        line: u64,
        /// Where the line begins in the stream.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// The stream itself failed.
    #[error("reading line {line}: {source}")]
    Io {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        source: std::io::Error,
    },
}

/// Appends `message` and a line feed to `out`.
pub fn encode_line(message: &Message, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    serde_json::to_writer(&mut *out, message)?;
    // A payload that was sent with line breaks in it still goes on one line: outside of strings
    // they mean nothing, and inside of strings JSON has none.
    if memchr::memchr2(b'\n', b'\r', &out[start..]).is_some() {
        let mut kept = out.split_off(start);
        kept.retain(|byte| !matches!(byte, b'\n' | b'\r'));
        out.append(&mut kept);
    }
    out.push(b'\n');
    Ok(())
}

/// Splits bytes into lines and lines into messages, in bounded memory.
///
/// Blank lines are ignored, lines are trimmed, and the last one needs no line feed.
#[derive(Debug)]
pub struct NdjsonReader<R> {
    input: R,
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line feed.
    searched: usize,
    line: u64,
    offset: u64,
    max_line_bytes: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> NdjsonReader<R> {
    /// Reads lines of at most [`DEFAULT_MAX_LINE_BYTES`].
    pub fn new(input: R) -> NdjsonReader<R> {
        NdjsonReader::with_max_line_bytes(input, DEFAULT_MAX_LINE_BYTES)
    }

    /// Reads lines of at most `max_line_bytes`.
    pub fn with_max_line_bytes(input: R, max_line_bytes: usize) -> NdjsonReader<R> {
        NdjsonReader {
            input,
            buffer: BytesMut::new(),
            searched: 0,
            line: 1,
            offset: 0,
            max_line_bytes,
            ended: false,
        }
    }

    /// The next message, or `None` at the end. After an error the stream is not to be read on.
    pub async fn next_message(&mut self) -> Result<Option<Message>, NdjsonError> {
        Ok(self.next_message_and_text().await?.map(|(message, _)| message))
    }

    /// The next message and the text it was read from.
    pub async fn next_message_and_text(&mut self) -> Result<Option<(Message, Bytes)>, NdjsonError> {
        let Some((line, offset, text)) = self.next_said().await? else { return Ok(None) };
        match serde_json::from_slice(&text) {
            Ok(message) => Ok(Some((message, text))),
            Err(source) => Err(NdjsonError::Message { line, offset, source }),
        }
    }

    /// The next line that is not blank, trimmed, whatever it says; `None` at the end.
    pub async fn next_text(&mut self) -> Result<Option<Bytes>, NdjsonError> {
        Ok(self.next_said().await?.map(|(_, _, text)| text))
    }

    async fn next_said(&mut self) -> Result<Option<(u64, u64, Bytes)>, NdjsonError> {
        while let Some((line, offset, text)) = self.next_line().await? {
            let trimmed = text.trim_ascii();
            if !trimmed.is_empty() {
                return Ok(Some((line, offset, text.slice_ref(trimmed))));
            }
        }
        Ok(None)
    }

    async fn next_line(&mut self) -> Result<Option<(u64, u64, Bytes)>, NdjsonError> {
        loop {
            let end = memchr::memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
            let length = end.unwrap_or(self.buffer.len());
            if length > self.max_line_bytes {
                return Err(NdjsonError::TooLong {
                    line: self.line,
                    offset: self.offset,
                    limit: self.max_line_bytes,
                });
            }
            if end.is_some() || (self.ended && length > 0) {
                let taken = if end.is_some() { length + 1 } else { length };
                let text = self.buffer.split_to(taken).freeze();
                let (line, offset) = (self.line, self.offset);
                self.searched = 0;
                self.line += 1;
                self.offset += taken as u64;
                return Ok(Some((line, offset, text)));
            }
            if self.ended {
                return Ok(None);
            }
            self.searched = self.buffer.len();
            self.buffer.reserve(READ_BYTES);
            let read = self.input.read_buf(&mut self.buffer).await;
            let read = read.map_err(|source| NdjsonError::Io { line: self.line, source })?;
            self.ended = read == 0;
        }
    }
}

/// The messages of `input` as a stream that ends with the input or after the first error.
pub fn read_messages<R: AsyncRead + Unpin>(input: R) -> impl Stream<Item = Result<Message, NdjsonError>> {
    stream::unfold(Some(NdjsonReader::new(input)), |reader| async move {
        let mut reader = reader?;
        match reader.next_message().await {
            Ok(Some(message)) => Some((Ok(message), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}
