//! Streams of lines that a client sends, read as they are wanted.

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use protocol::{ConnectorError, InputStream, Message, NdjsonError, NdjsonReader, RawJson};
use tokio::io::AsyncRead;

use super::body::{Pushed, unwrapped};

/// The rest of a request's body.
pub(super) type Rest = NdjsonReader<Pin<Box<dyn AsyncRead + Send>>>;

/// What lines push into a source.
pub(super) fn pushed_lines(lines: Rest) -> InputStream {
    messages(lines).map(|read| read.map(|(message, text)| unwrapped(message, text))).boxed()
}

/// What a body's `stdin` pushes into a source.
pub(super) fn pushed(items: Pushed) -> InputStream {
    stream::iter(items.into_iter().map(Ok)).boxed()
}

/// The messages of lines, and the text of each. A line that is no message ends them, with an error that names it.
pub(super) fn messages(
    lines: Rest,
) -> impl Stream<Item = Result<(Message, RawJson), ConnectorError>> + Send + 'static {
    stream::unfold(Some(lines), |lines| async move {
        let mut lines = lines?;
        match lines.next_message_and_text().await {
            Ok(Some((message, text))) => Some((Ok((message, RawJson::from_trusted(text))), Some(lines))),
            Ok(None) => None,
            Err(error) => Some((Err(failed(&error)), None)),
        }
    })
}

fn failed(error: &NdjsonError) -> ConnectorError {
    ConnectorError::config(format!("the lines that were sent: {error}"))
}
