//! Lines of messages: whatever they are, and however they are cut, the same comes out, within the limit.
#![no_main]

use std::pin::Pin;
use std::task::{Context, Poll};

use libfuzzer_sys::fuzz_target;
use protocol::{Message, NdjsonReader};
use tokio::io::{AsyncRead, ReadBuf};

const LIMIT: usize = 512;

/// Gives so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let piece = self.0.len().min(self.1).min(out.remaining());
        let (now, later) = self.0.split_at(piece);
        out.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

fn read(text: &[u8], piece: usize) -> (Vec<Message>, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut reader = NdjsonReader::with_max_line_bytes(Pieces(text, piece), LIMIT);
        let mut messages = Vec::new();
        loop {
            match reader.next_message().await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error.to_string())),
            }
        }
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((piece, text)) = data.split_first() else { return };
    let whole = read(text, usize::MAX);
    assert_eq!(read(text, usize::from(*piece).max(1)), whole);
});
