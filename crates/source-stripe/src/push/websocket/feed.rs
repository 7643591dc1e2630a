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

/// How long to read on where nothing can be said any more.
const LEFT_OVER: Duration = Duration::from_millis(500);

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
        let said = match pulse.due(began.elapsed(), listens) {
            Due::Renewal => {
                // Whether the other side hears it or not, this connection is no more.
                let _ = tokio::time::timeout(SENDING, socket.close(None)).await;
                empty(socket, inbox, held).await;
                return Ended::Planned;
            }
            Due::Stale => return Ended::Silent { life: pulse.life() },
            Due::Ping => vec![Message::Ping(bytes::Bytes::new())],
            Due::Nothing => tokio::select! {
                room = inbox.reserve(), if !listens => {
                    let Ok(room) = room else { return Ended::Planned };
                    if let Some(delivered) = held.waiting.take() {
                        room.send(delivered);
                    }
                    pulse.heard(began.elapsed());
                    continue;
                }
                Some((webhook, outcome)) = held.unsettled.next(), if !held.unsettled.is_empty() => {
                    vec![Message::Text(webhook.response(&outcome).into())]
                }
                message = socket.next(), if listens => match message {
                    Some(Ok(Message::Close(_))) | None => return Ended::Closed { life: pulse.life() },
                    Some(Err(error)) => return Ended::Broke { life: pulse.life(), problem: error.to_string() },
                    Some(Ok(message)) => {
                        pulse.heard(began.elapsed());
                        take(&message, inbox, held)
                    }
                },
                () = tokio::time::sleep_until(began + pulse.next(listens)) => continue,
            },
        };
        if let Err(problem) = send(socket, said).await {
            empty(socket, inbox, held).await;
            return Ended::Broke { life: pulse.life(), problem };
        }
    }
}

/// Takes in what has come already, of a connection over which nothing can be said any more.
async fn empty(socket: &mut Socket, inbox: &Sender<Delivered>, held: &mut Held) {
    let until = Instant::now() + LEFT_OVER;
    while held.waiting.is_none()
        && let Ok(Some(Ok(message))) = tokio::time::timeout_at(until, socket.next()).await
    {
        take(&message, inbox, held);
    }
}

/// Takes a message in; answers what is to be said to it at once.
fn take(message: &Message, inbox: &Sender<Delivered>, held: &mut Held) -> Vec<Message> {
    let Message::Text(text) = message else { return Vec::new() };
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
    let mut answers = vec![Message::Text(webhook.acknowledgement().into())];
    match input::read(webhook.event_payload.clone().into()) {
        Ok(event) => {
            let (delivered, outcome) = Delivered::new(event);
            held.unsettled.push(webhook.settled(outcome).boxed());
            if let Err(TrySendError::Full(delivered)) = inbox.try_send(delivered) {
                held.waiting = Some(delivered);
            }
        }
        Err(problem) => {
            tracing::warn!("a payload that came over the WebSocket {problem}");
            answers.push(Message::Text(webhook.response(&Err(format!("the payload {problem}"))).into()));
        }
    }
    answers
}

async fn send(socket: &mut Socket, messages: Vec<Message>) -> Result<(), String> {
    for message in messages {
        match tokio::time::timeout(SENDING, socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| error.to_string())?,
            Err(_) => return Err("nothing can be sent".to_owned()),
        }
    }
    Ok(())
}
