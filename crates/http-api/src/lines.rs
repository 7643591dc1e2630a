//! Bodies of NDJSON: produced line by line as the client reads them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, header};
use tokio::time::{Instant, Sleep};

/// The content type of a body of lines.
pub const NDJSON: &str = "application/x-ndjson";

/// For how long a body may be silent; then a blank line says that the work goes on. Readers ignore blank lines.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Lines that are ready at once travel together, up to about so many bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Where the lines of a body come from. It is asked only when the client has room for more; dropping it before its
/// end means that the client is gone.
pub trait Lines: Send + Unpin + 'static {
    /// Appends the next line or lines, each with its line feed, to `out`; `None` at the end.
    fn poll_lines(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<()>>;
}

/// A response of lines, with a blank one whenever nothing was said for as long as `keep_alive`.
pub fn ndjson(lines: impl Lines, keep_alive: Duration) -> Response {
    let silence = Box::pin(tokio::time::sleep(keep_alive));
    let mut response = Response::new(Body::from_stream(Chunks { lines, keep_alive, silence, ended: false }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

struct Chunks<L> {
    lines: L,
    keep_alive: Duration,
    silence: Pin<Box<Sleep>>,
    ended: bool,
}

impl<L: Lines> Stream for Chunks<L> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut chunk = Vec::new();
        while !this.ended && chunk.len() < CHUNK_BYTES {
            match this.lines.poll_lines(context, &mut chunk) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => this.ended = true,
                Poll::Pending => break,
            }
        }
        if chunk.is_empty() && this.ended {
            return Poll::Ready(None);
        }
        if chunk.is_empty() {
            if this.silence.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            chunk.push(b'\n');
        }
        let next = Instant::now() + this.keep_alive;
        this.silence.as_mut().reset(next);
        Poll::Ready(Some(Ok(chunk.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::StreamExt;

    /// Lines of a kilobyte, without end.
    struct Endless(Arc<AtomicUsize>);

    impl Lines for Endless {
        fn poll_lines(&mut self, _: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<()>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            out.extend(std::iter::repeat_n(b'x', 1023));
            out.push(b'\n');
            Poll::Ready(Some(()))
        }
    }

    /// One line, then nothing for ever.
    struct Silent(bool);

    impl Lines for Silent {
        fn poll_lines(&mut self, _: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Option<()>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            out.extend(b"{}\n");
            Poll::Ready(Some(()))
        }
    }

    #[tokio::test]
    async fn nothing_is_produced_that_nobody_reads() {
        let produced = Arc::new(AtomicUsize::new(0));
        let mut body = ndjson(Endless(Arc::clone(&produced)), KEEP_ALIVE).into_body().into_data_stream();
        assert_eq!(produced.load(Ordering::SeqCst), 0);
        assert_eq!(body.next().await.unwrap().unwrap().len(), CHUNK_BYTES);
        tokio::task::yield_now().await;
        assert_eq!(produced.load(Ordering::SeqCst), 64, "one chunk, and no more");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_blank_lines() {
        let mut body = ndjson(Silent(false), Duration::from_secs(5)).into_body().into_data_stream();
        let begun = Instant::now();
        assert_eq!(body.next().await.unwrap().unwrap(), "{}\n");
        for seconds in [5, 10] {
            assert_eq!(body.next().await.unwrap().unwrap(), "\n");
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
    }
}
