//! Lines in, messages out: any split, bounded memory, exact errors.
#![allow(clippy::unwrap_used)]

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use proptest::prelude::*;
use protocol::{LogLevel, Message, NdjsonError, NdjsonReader, encode_line, read_messages};
use tokio::io::{AsyncRead, ReadBuf};

/// Hands out the given pieces one read at a time.
struct Pieces(std::collections::VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let taken = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece[..taken]);
            if taken < piece.len() {
                self.0.push_front(piece.split_off(taken));
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn in_pieces(bytes: &[u8], size: usize) -> Pieces {
    Pieces(bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect())
}

fn read_all(input: Pieces) -> Vec<Result<Message, NdjsonError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(read_messages(input).collect())
}

fn log(text: &str) -> Message {
    Message::log(LogLevel::Info, text)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(texts in prop::collection::vec(".{0,40}", 0..8), size in 1usize..50, last in any::<bool>()) {
        let mut bytes = Vec::new();
        for text in &texts {
            bytes.extend_from_slice(b"\n  \r\n ");
            encode_line(&log(text), &mut bytes).unwrap();
        }
        if !last {
            while bytes.last() == Some(&b'\n') { bytes.pop(); }
        }
        let read: Vec<Message> = read_all(in_pieces(&bytes, size)).into_iter().map(Result::unwrap).collect();
        let expected: Vec<Message> = texts.iter().map(|text| log(text)).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..20) {
        let read = read_all(in_pieces(&bytes, size));
        prop_assert!(read.iter().rev().skip(1).all(Result::is_ok), "reading goes on after an error");
    }
}

#[test]
fn an_error_names_line_and_offset() {
    let mut bytes = b"\n".to_vec();
    encode_line(&log("first"), &mut bytes).unwrap();
    let offset = bytes.len();
    bytes.extend_from_slice(b"{\"type\":\"log\",\"log\":nonsense}\n{}\n");
    let read = read_all(in_pieces(&bytes, 7));
    assert_eq!(read.len(), 2);
    let error = read[1].as_ref().unwrap_err().to_string();
    assert!(error.starts_with(&format!("line 3 (at byte {offset}) is not a message: ")), "{error}");
}

#[tokio::test]
async fn a_line_over_the_limit_is_refused_before_it_is_held() {
    let mut bytes = Vec::new();
    encode_line(&log("short"), &mut bytes).unwrap();
    let offset = bytes.len();
    bytes.extend(std::iter::repeat_n(b'x', 1 << 20));
    let mut reader = NdjsonReader::with_max_line_bytes(in_pieces(&bytes, 100), 4096);
    assert!(reader.next_message().await.unwrap().is_some());
    let error = reader.next_message().await.unwrap_err();
    assert_eq!(error.to_string(), format!("line 2 (at byte {offset}) is longer than 4096 bytes"));
}
