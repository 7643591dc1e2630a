//! Printing what is answered, as it comes.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use serde_json::value::RawValue;

use crate::call::{Call, RequestBody};
use crate::document::{is_json, is_lines};
use crate::pretty::pretty;

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Why an answer was not printed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The status is none of success.
    #[error("Error {}: {body}", status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// What was said beside it.
        body: String,
    },
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Broken(#[source] io::Error),
    /// It cannot be printed.
    #[error("the answer cannot be printed: {0}")]
    Output(#[source] io::Error),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed<E> {
    /// There was no answer.
    #[error("{0}")]
    Transport(E),
    /// The answer is an error, or broke off.
    #[error(transparent)]
    Answer(AnswerError),
}

/// Makes a call: hands the request to `transport`, and prints what it answers to `out`.
///
/// The answer is pulled as `out` takes it. Dropping the call drops the answer, and with it the work of who answers.
pub async fn perform<T, A, E>(
    call: Call,
    stdin: ByteStream,
    transport: T,
    out: &mut (impl Write + Send),
) -> Result<(), Failed<E>>
where
    T: FnOnce(Request<RequestBody>) -> A,
    A: Future<Output = Result<Response<ByteStream>, E>>,
{
    let response = transport(call.request(stdin)).await.map_err(Failed::Transport)?;
    print(response, out).await.map_err(Failed::Answer)
}

/// Prints an answer. Blank lines between lines of NDJSON say only that the work goes on; they are left out.
pub async fn print(response: Response<ByteStream>, out: &mut (impl Write + Send)) -> Result<(), AnswerError> {
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        let body = whole(body).await?;
        let body = String::from_utf8_lossy(&body).trim_end().to_owned();
        return Err(AnswerError::Status { status: head.status, body });
    }
    let media = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_lines(media) {
        return lines(body, out).await;
    }
    if is_json(media) {
        let body = whole(body).await?;
        return match serde_json::from_slice::<&RawValue>(&body) {
            Ok(json) => write(out, format!("{}\n", pretty(json.get())).as_bytes()),
            Err(_) => write(out, &body),
        };
    }
    while let Some(bytes) = body.try_next().await.map_err(AnswerError::Broken)? {
        write(out, &bytes)?;
    }
    Ok(())
}

/// Copies lines, each as soon as it is whole.
async fn lines(mut body: ByteStream, out: &mut (impl Write + Send)) -> Result<(), AnswerError> {
    let mut begun = BytesMut::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(AnswerError::Broken)?;
        // Only what is new can hold the end of a line.
        let end = memchr::memrchr(b'\n', &bytes).map(|at| begun.len() + at + 1);
        begun.extend_from_slice(&bytes);
        if let Some(end) = end {
            let whole = begun.split_to(end);
            let said =
                whole.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let said = said.collect::<Vec<_>>().concat();
            write(out, &said)?;
        }
    }
    if begun.trim_ascii().is_empty() {
        return Ok(());
    }
    begun.extend_from_slice(b"\n");
    write(out, &begun)
}

async fn whole(body: ByteStream) -> Result<Bytes, AnswerError> {
    let all = body.try_fold(BytesMut::new(), |mut all, bytes| async move {
        all.extend_from_slice(&bytes);
        Ok(all)
    });
    all.await.map(BytesMut::freeze).map_err(AnswerError::Broken)
}

fn write(out: &mut impl Write, bytes: &[u8]) -> Result<(), AnswerError> {
    if bytes.is_empty() {
        return Ok(());
    }
    out.write_all(bytes).and_then(|()| out.flush()).map_err(AnswerError::Output)
}
