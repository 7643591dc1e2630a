//! An operation as a span of a trace.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use protocol::{Eof, Message, Payload, RunStatus};
use tracing::Span;

use crate::{EngineError, EngineStream};

/// The messages of an operation, all of whose work is done within the span.
struct Traced {
    messages: EngineStream,
    // Ends after the messages are dropped.
    span: Span,
}

/// `messages` within `span`, which has the empty fields `otel.status_code` and `has_more`. Without anybody who takes
/// spans they stay as they are.
pub(crate) fn traced(span: Span, messages: EngineStream) -> EngineStream {
    if span.is_disabled() { messages } else { Box::pin(Traced { messages, span }) }
}

impl Stream for Traced {
    type Item = Result<Message, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Traced { messages, span } = &mut *self;
        let polled = span.in_scope(|| messages.as_mut().poll_next(context));
        match &polled {
            Poll::Ready(Some(Ok(message))) => tell(span, message),
            // Why is in the log, which knows what is secret.
            Poll::Ready(Some(Err(_))) => failed(span),
            _ => {}
        }
        polled
    }
}

fn tell(span: &Span, message: &Message) {
    let Payload::Eof(eof) = &message.payload else { return };
    let (has_more, is_failed) = match eof {
        Eof::Sync(eof) => (eof.has_more, eof.status == RunStatus::Failed),
        Eof::Read { has_more } => (*has_more, false),
    };
    span.record("has_more", has_more);
    if is_failed {
        failed(span);
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
