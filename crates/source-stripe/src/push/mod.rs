//! Events that come to this process by themselves.
//!
//! Three ways lead here: webhooks that Stripe posts to a port of ours, the WebSocket by which the Stripe CLI gets
//! events, and webhooks or events that somebody else pushes into the source as input.
//!
//! * [`signature`], [`input`], [`settings`]: what is believed, and which settings go together; pure;
//! * [`subscription`], [`endpoint`]: what Stripe is asked to post, and where to: for setup and teardown;
//! * [`listener`], [`websocket`]: the edges, opened by [`open`].
//!
//! The first two put what they get into an [`Inbox`]. Whoever reads the inbox answers each delivery by its
//! [`Receipt`] once it is durable, and only then is the sender told so: an event that gets lost in between is sent
//! again by Stripe, or found by the poll of events.

pub(crate) mod endpoint;
mod input;
mod listener;
pub(crate) mod settings;
pub(crate) mod signature;
pub(crate) mod subscription;
mod websocket;

use std::net::Ipv4Addr;
use std::sync::Arc;

use protocol::{ConnectorError, RawJson};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

pub(crate) use input::pushed;
pub use input::{WebhookRefusal, webhook_event};
use listener::Desk;

use crate::client::Client;
use crate::config::StripeConfig;

/// Deliveries that wait to be read. More are not taken: webhooks are answered that it is too much for now, and the
/// WebSocket is not read.
const MOST_WAITING: usize = 1_000;

/// An event that somebody delivered to this process, and waits for an answer to.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The text of the event, believed to be Stripe's: an object with an `id` and a `type`.
    pub(crate) event: RawJson,
    pub(crate) receipt: Receipt,
}

/// Answered once what the event says is durable in the destination, or refused. Dropping it means that it was not
/// applied: the sender is told to try again.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Sender<Result<(), String>>);

impl Receipt {
    /// What the event says is durable, or is nothing that is kept.
    pub(crate) fn applied(self) {
        // Whoever sent it may have gone.
        let _ = self.0.send(Ok(()));
    }

    /// The event cannot be applied. The sender is told so, and may try again.
    pub(crate) fn refused(self, why: String) {
        let _ = self.0.send(Err(why));
    }
}

/// What becomes of a delivery; an error where the receipt was dropped.
pub(crate) type Outcome = oneshot::Receiver<Result<(), String>>;

impl Delivered {
    /// A delivery and what becomes of it.
    pub(crate) fn new(event: RawJson) -> (Delivered, Outcome) {
        let (sender, outcome) = oneshot::channel();
        (Delivered { event, receipt: Receipt(sender) }, outcome)
    }
}

/// Where deliveries are read, in the order in which they came. It stays open as long as the [`Guard`] lives, even
/// where the configuration asks for no deliveries.
pub(crate) type Inbox = mpsc::Receiver<Delivered>;

/// Keeps the inbox open; dropping it ends whatever delivers into it.
#[derive(Debug)]
pub(crate) struct Guard {
    _inbox: mpsc::Sender<Delivered>,
    _stop: DropGuard,
}

/// Opens what the configuration asks for: the port for webhooks, on all addresses of this machine, and the WebSocket.
/// Deliveries begin at once.
///
/// Fails where that can never work: the port is taken, a secret is missing, Stripe refuses the key. What may pass
/// is tried again without end, and logged.
pub(crate) async fn open(
    config: &StripeConfig,
    client: &Arc<Client>,
) -> Result<(Inbox, Guard), ConnectorError> {
    let (sender, inbox) = mpsc::channel(MOST_WAITING);
    let stop = CancellationToken::new();
    // What is opened first is closed again where the next fails.
    let guard = Guard { _inbox: sender.clone(), _stop: stop.clone().drop_guard() };
    if let Some(port) = config.webhook_port {
        let secret = settings::secret(config)?.clone();
        let listener = listener::bind((Ipv4Addr::UNSPECIFIED, port.get()).into()).await?;
        tracing::info!(port, "listening for webhooks");
        let desk = Desk::new(secret, sender.clone());
        tokio::spawn(listener::serve(listener, desk, stop.clone()).in_current_span());
    }
    if config.websocket {
        let connect = config.accounts.is_some();
        let session = websocket::first_session(client, connect).await?;
        let feed = websocket::run(Arc::clone(client), connect, session, sender);
        tokio::spawn(stop.run_until_cancelled_owned(feed).in_current_span());
    }
    Ok((inbox, guard))
}

#[cfg(test)]
mod tests;
