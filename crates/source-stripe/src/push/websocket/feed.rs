//! Reading one connection.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::super::{Delivered, input};
use super::connection::Socket;
use super::course::Ended;
use super::message::{self, Said, Webhook};
use super::pulse::{Due, Pulse};

/// How long something may take to be sent.
const SENDING: Duration = Duration::from_secs(10);

/// What is kept from one connection to the next.
#[derive(Default)]
pub(super) struct Held {
    /// An event for which there was no room in the inbox. As long as there is one, no other is read.
    waiting: Option<Delivered>,
    /// Events that were delivered, and of which is not known yet what became of them.
    unsettled: FuturesUnordered<BoxFuture<'static, (Webhook, Result<(), String>)>>,
}

/// Puts what comes into the inbox, and answers it, until the connection ends or nobody reads the inbox.
pub(super) async fn feed(
    socket: &mut Socket,
    renew_after: Duration,
    inbox: &Sender<Delivered>,
    held: &mut Held,
) -> Ended {
    let began = Instant::now();
    let mut pulse = Pulse::new(renew_after);
    loop {
        let listens = held.waiting.is_none();
        match pulse.due(began.elapsed(), listens) {
            Due::Renewal => {
                // As the other side closes too, or does not, this connection is no more.
                let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                return Ended::Planned;
            }
            Due::Stale => return Ended::Silent { lasted: pulse.lasted() },
            Due::Ping => {
                if let Err(problem) = send(socket, Message::Ping(bytes::Bytes::new())).await {
                    return Ended::Broke { lasted: pulse.lasted(), problem };
                }
            }
            Due::Nothing => {}
        }
        let said = tokio::select! {
            room = inbox.reserve(), if !listens => {
                let Ok(room) = room else { return Ended::Planned };
                if let Some(delivered) = held.waiting.take() {
                    room.send(delivered);
                }
                pulse.heard(began.elapsed());
                continue;
            }
            Some((webhook, outcome)) = held.unsettled.next(), if !held.unsettled.is_empty() => {
                vec![webhook.response(&outcome)]
            }
            message = socket.next(), if listens => match message {
                Some(Ok(Message::Close(_))) | None => return Ended::Closed { lasted: pulse.lasted() },
                Some(Err(error)) => {
                    return Ended::Broke { lasted: pulse.lasted(), problem: error.to_string() };
                }
                Some(Ok(message)) => {
                    pulse.heard(began.elapsed());
                    match message {
                        Message::Text(text) => take(&text, inbox, held),
                        _ => Vec::new(),
                    }
                }
            },
            () = tokio::time::sleep_until(began + pulse.next(listens)) => Vec::new(),
        };
        for text in said {
            if let Err(problem) = send(socket, Message::Text(text.into())).await {
                return Ended::Broke { lasted: pulse.lasted(), problem };
            }
        }
    }
}

/// Takes a message in; answers what is to be said to it at once.
fn take(text: &str, inbox: &Sender<Delivered>, held: &mut Held) -> Vec<String> {
    let webhook = match message::read(text) {
        Said::Event(webhook) => webhook,
        Said::Other(kind) => {
            tracing::debug!(kind, "the WebSocket said something that is no event");
            return Vec::new();
        }
        Said::Nonsense(problem) => {
            tracing::warn!(problem, "the WebSocket said something that is not understood");
            return Vec::new();
        }
    };
    let acknowledgement = webhook.acknowledgement();
    let event = match input::read(webhook.event_payload.clone().into()) {
        Ok(event) => event,
        Err(problem) => {
            tracing::warn!(problem, "what came over the WebSocket");
            return vec![acknowledgement, webhook.response(&Err(format!("the payload {problem}")))];
        }
    };
    let (delivered, outcome) = Delivered::new(event);
    held.unsettled.push(webhook.settled(outcome).boxed());
    if let Err(TrySendError::Full(delivered)) = inbox.try_send(delivered) {
        held.waiting = Some(delivered);
    }
    vec![acknowledgement]
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), String> {
    match tokio::time::timeout(SENDING, socket.send(message)).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err("nothing can be sent".to_owned()),
    }
}
