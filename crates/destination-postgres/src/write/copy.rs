//! Rows in the binary format of `COPY` ([PostgreSQL, "Binary Format"](https://www.postgresql.org/docs/current/sql-copy.html)).
//!
//! Written here, not by the driver's writer, because that one sends pieces of 4 KiB: a wake-up and a system call for
//! every few rows.

use bytes::{BufMut, Bytes, BytesMut};

use super::plan::Upsert;
use super::value::{EARLIEST, LATEST};

/// Signature, flags, and the length of a header extension that there is not.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The first byte of a `jsonb` value: the version of its format.
const JSONB_VERSION: u8 = 1;

/// Seconds from 1970 to 2000, where the server's time begins.
const EPOCH: i64 = 946_684_800;
const MICROSECONDS: i64 = 1_000_000;

/// Bytes after which a piece is sent.
const PIECE: usize = 64 << 10;

/// Encodes rows of payload, time of writing, version, and the key fields where the columns name them.
pub(super) struct Encoder {
    buffer: BytesMut,
    /// Fields of a row.
    fields: i16,
    keys: usize,
    /// The time of writing, in the server's microseconds.
    now: i64,
}

impl Encoder {
    /// For rows with `keys` fields of their key; `now` in microseconds since 1970.
    pub(super) fn new(keys: usize, now: i64) -> Encoder {
        let mut buffer = BytesMut::with_capacity(PIECE + (PIECE >> 2));
        buffer.put_slice(HEADER);
        // No table has more than 1,600 columns.
        let fields = i16::try_from(3 + keys).unwrap_or(i16::MAX);
        Encoder { buffer, fields, keys, now: now.saturating_sub(EPOCH * MICROSECONDS) }
    }

    /// Adds a row. Answers a piece that is ready to be sent, if there is one.
    pub(super) fn row(&mut self, upsert: &Upsert) -> Option<Bytes> {
        let payload = upsert.payload.as_bytes();
        let out = &mut self.buffer;
        out.put_i16(self.fields);
        out.put_i32(length(payload.len() + 1));
        out.put_u8(JSONB_VERSION);
        out.put_slice(payload);
        for moment in [self.now, (upsert.version.clamp(EARLIEST, LATEST) - EPOCH) * MICROSECONDS] {
            out.put_i32(length(size_of::<i64>()));
            out.put_i64(moment);
        }
        for key in upsert.key.0.iter().take(self.keys) {
            out.put_i32(length(key.len()));
            out.put_slice(key.as_bytes());
        }
        (out.len() >= PIECE).then(|| {
            let piece = out.split().freeze();
            out.reserve(PIECE + (PIECE >> 2));
            piece
        })
    }

    /// What is left, and the end.
    pub(super) fn end(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

/// A length as the format tells it. A longer value than it can tell is longer than a line may be.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::row::Key;
    use protocol::RawJson;

    fn upsert(version: i64, payload: String) -> Upsert {
        Upsert { key: Key(vec!["a".to_owned()]), version, payload: RawJson::parse(payload).unwrap() }
    }

    #[test]
    fn a_row_is_as_the_format_says() {
        let mut encoder = Encoder::new(1, (EPOCH + 1) * MICROSECONDS);
        assert_eq!(encoder.row(&upsert(EPOCH - 1, "{}".to_owned())), None);
        let mut expected = HEADER.to_vec();
        expected.extend([0, 4, 0, 0, 0, 3, 1, b'{', b'}']);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0x0F, 0x42, 0x40]);
        expected.extend([0, 0, 0, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0, 0xBD, 0xC0]);
        expected.extend([0, 0, 0, 1, b'a', 0xFF, 0xFF]);
        assert_eq!(encoder.end(), expected);
    }

    #[test]
    fn pieces_are_large_and_lose_nothing() {
        let mut encoder = Encoder::new(0, 0);
        let text = format!("\"{}\"", "x".repeat(1000));
        let mut sent = 0;
        for _ in 0..200 {
            if let Some(piece) = encoder.row(&upsert(i64::MAX, text.clone())) {
                assert!(piece.len() >= PIECE);
                sent += piece.len();
            }
        }
        sent += encoder.end().len();
        assert_eq!(sent, HEADER.len() + 200 * (2 + 4 + 1 + 1002 + 12 + 12) + 2);
    }
}
