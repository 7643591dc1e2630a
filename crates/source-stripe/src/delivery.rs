//! From pages to the messages that are pulled.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use protocol::{ConnectorError, Message, MessageStream, Payload, Record, Timestamp};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::page::Page;
use crate::room::Reserved;

/// What the driver hands over, in the order in which it is to be emitted.
#[derive(Debug)]
pub(crate) enum Delivery {
    Message(Message),
    Page(Delivered),
    Failed(ConnectorError),
}

/// The records of a page.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) stream: Arc<str>,
    pub(crate) page: Page,
    /// How many of the page's objects to emit.
    pub(crate) keep: usize,
    pub(crate) emitted_at: Timestamp,
    /// Held until the last record is pulled.
    pub(crate) _reserved: Reserved,
}

/// Where the driver hands over. The amount is bounded by the room that pages need.
pub(crate) type Sender = mpsc::UnboundedSender<Delivery>;

/// The messages of a read that `drive` performs in a task of its own, which ends with the stream.
pub(crate) fn messages<F>(drive: impl FnOnce(Sender) -> F + Send + 'static) -> MessageStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let begin = async move {
        let (sender, receiver) = mpsc::unbounded_channel();
        let task = AbortOnDropHandle::new(tokio::spawn(drive(sender).in_current_span()));
        stream::unfold(Pull { receiver, task: Some(task), current: None }, Pull::next)
    };
    stream::once(begin).flatten().boxed()
}

struct Pull {
    receiver: mpsc::UnboundedReceiver<Delivery>,
    task: Option<AbortOnDropHandle<()>>,
    /// The page being emitted, and its next record.
    current: Option<(Delivered, usize)>,
}

impl Pull {
    async fn next(mut self) -> Option<(Result<Message, ConnectorError>, Pull)> {
        loop {
            if let Some((delivered, index)) = &mut self.current {
                if *index < delivered.keep
                    && let Some((data, deleted)) = delivered.page.record(*index)
                {
                    *index += 1;
                    let stream = Arc::clone(&delivered.stream);
                    let record = Record { stream, data, deleted, emitted_at: delivered.emitted_at };
                    return Some((Ok(Payload::Record(record).into()), self));
                }
                self.current = None;
            }
            match self.receiver.recv().await {
                Some(Delivery::Message(message)) => return Some((Ok(message), self)),
                Some(Delivery::Failed(error)) => return Some((Err(error), self)),
                Some(Delivery::Page(delivered)) => self.current = Some((delivered, 0)),
                None => {
                    // The task has let go of its sender: it is over, well or not.
                    let task = self.task.take()?;
                    let error = task.await.err()?;
                    let failed =
                        ConnectorError::internal("the Stripe reader stopped unexpectedly").caused_by(error);
                    return Some((Err(failed), self));
                }
            }
        }
    }
}
