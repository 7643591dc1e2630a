//! Requests to routes in the same process, and to servers elsewhere.

use std::io::{ErrorKind, Read, stdin};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Request, Response, header};
use openapi_cli::{ByteStream, RequestBody};
use tokio::sync::mpsc;
use tower::ServiceExt;

/// How much of stdin is read at once, in bytes.
const PART: usize = 64 * 1024;

/// What the routes answer, without a server.
pub async fn answer(routes: Router, request: Request<RequestBody>) -> Response<ByteStream> {
    let mut request = request.map(|body| match body {
        RequestBody::Empty => Body::empty(),
        RequestBody::Bytes(bytes) => Body::from(bytes),
        RequestBody::Stream(bytes) => Body::from_stream(bytes),
    });
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    let Ok(response) = routes.oneshot(request).await;
    response.map(|body| body.into_data_stream().map_err(std::io::Error::other).boxed())
}

/// A body for a client.
pub fn sent(body: RequestBody) -> reqwest::Body {
    match body {
        RequestBody::Empty => reqwest::Body::default(),
        RequestBody::Bytes(bytes) => bytes.into(),
        RequestBody::Stream(bytes) => reqwest::Body::wrap_stream(bytes),
    }
}

/// Stdin as it comes, read only once it is asked for. Its thread is not waited for: a read of a terminal may never end.
pub fn lines_of_stdin() -> ByteStream {
    let begin = || {
        let (sender, parts) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut stdin = stdin().lock();
            let mut part = vec![0; PART];
            loop {
                let read = match stdin.read(&mut part) {
                    Ok(0) => return,
                    Ok(length) => Ok(Bytes::copy_from_slice(&part[..length])),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ended = read.is_err();
                if sender.blocking_send(read).is_err() || ended {
                    return;
                }
            }
        });
        stream::unfold(parts, |mut parts| async move { Some((parts.recv().await?, parts)) })
    };
    stream::once(async move { begin() }).flatten().boxed()
}
