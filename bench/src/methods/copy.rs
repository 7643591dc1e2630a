//! The floor: one `COPY` per connection, of rows that are encoded beforehand.

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use destination_postgres::Projection;
use futures::{SinkExt, StreamExt, future, pin_mut, stream};

use super::Row;
use crate::meter::connect;
use crate::objects::ACCOUNT;

/// Seconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800;
/// Bytes in a message.
const CHUNK: usize = 1 << 16;

/// The rows in `COPY`'s binary format, in equal parts.
pub(super) fn encode(rows: &[Row], into: Projection, parts: usize) -> Vec<Vec<Bytes>> {
    rows.chunks(rows.len().div_ceil(parts)).map(|rows| encode_part(rows, into)).collect()
}

fn encode_part(rows: &[Row], into: Projection) -> Vec<Bytes> {
    let mut buffer = BytesMut::new();
    let mut chunks = Vec::new();
    buffer.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for row in rows {
        let key: &[&str] = if into == Projection::View { &[&row.id, ACCOUNT] } else { &[] };
        buffer.put_i16(3 + key.len() as i16);
        buffer.put_i32(row.payload.len() as i32 + 1);
        buffer.put_u8(1);
        buffer.put_slice(&row.payload);
        for _ in ["_synced_at", "_updated_at"] {
            buffer.put_i32(8);
            buffer.put_i64((row.seconds - EPOCH) * 1_000_000);
        }
        for value in key {
            buffer.put_i32(value.len() as i32);
            buffer.put_slice(value.as_bytes());
        }
        if buffer.len() >= CHUNK {
            chunks.push(buffer.split().freeze());
        }
    }
    buffer.put_i16(-1);
    chunks.push(buffer.freeze());
    chunks
}

pub(super) async fn write(url: &str, table: &str, into: Projection, parts: &[Vec<Bytes>]) -> Result<()> {
    let key = if into == Projection::View { ", \"id\", \"_account_id\"" } else { "" };
    let sql = format!(
        "COPY {table} (\"_raw_data\", \"_synced_at\", \"_updated_at\"{key}) FROM STDIN (FORMAT binary)"
    );
    let copies = parts.iter().map(async |chunks| -> Result<()> {
        let client = connect(url).await?;
        let sink = client.copy_in(&sql).await?;
        pin_mut!(sink);
        sink.send_all(&mut stream::iter(chunks.iter().cloned()).map(Ok)).await?;
        sink.finish().await?;
        Ok(())
    });
    future::try_join_all(copies).await.map(drop)
}
