//! Events as they happen, over the WebSocket that the Stripe CLI uses (`stripe listen`).
//!
//! Stripe does not document this protocol; it is known from the source of the CLI. A session is asked for by HTTP; it
//! names an address to connect to. Connections are renewed every minute, sessions when Stripe no longer knows them.
//! What happens while there is no connection is found by the poll of events.
//!
//! * [`message`]: what is said, [`pulse`]: when a connection is over, [`course`]: what comes after it; pure.
//! * [`session`], [`connection`], [`feed`]: the edge.

mod connection;
mod course;
mod feed;
mod message;
mod pulse;
mod session;

use std::sync::Arc;

use protocol::{ConnectorError, ErrorKind};
use tokio::sync::mpsc::Sender;

use super::Delivered;
use crate::client::Client;
use crate::failure::RequestError;
use crate::retry::BRIEF;
use connection::Unconnected;
use course::{Course, Ended, Life};
use feed::Held;
use session::Session;

/// Asks for the first session, with `connect` one for connected accounts too. `None` where that failed for now; an error where it will never work.
pub(super) async fn first_session(client: &Client, connect: bool) -> Result<Option<Session>, ConnectorError> {
    match session::open(client, connect, BRIEF).await {
        Ok(session) => Ok(Some(session)),
        Err(RequestError::Api(error)) if (400..500).contains(&error.status) && error.status != 429 => {
            Err(ConnectorError::new(
                ErrorKind::Auth,
                format!(
                    "websocket: Stripe opens no Stripe CLI session for this API key: {error}. Use a secret key, or a \
                     restricted key with the permissions of the Stripe CLI, or webhook_port in place of websocket"
                ),
            ))
        }
        Err(error) => {
            tracing::warn!(%error, "no session for the WebSocket yet");
            Ok(None)
        }
    }
}

/// Connects again and again, and puts what comes into the inbox. Ends when nobody reads the inbox any more.
pub(super) async fn run(
    client: Arc<Client>,
    connect: bool,
    mut session: Option<Session>,
    inbox: Sender<Delivered>,
) {
    let mut course = Course::default();
    let mut held = Held::default();
    while !inbox.is_closed() {
        let ended = once(&client, connect, &mut session, &inbox, &mut held).await;
        let next = course.after(&ended, rand::random());
        match &ended {
            Ended::Planned | Ended::Closed { life: Life::Long } => {
                tracing::debug!("connecting the WebSocket anew");
            }
            ended => {
                tracing::warn!(%ended, wait = ?next.wait, "the WebSocket is down; connecting again");
            }
        }
        if next.new_session {
            session = None;
        }
        tokio::time::sleep(next.wait).await;
    }
}

/// One connection, from the session that it needs to its end.
async fn once(
    client: &Client,
    connect: bool,
    session: &mut Option<Session>,
    inbox: &Sender<Delivered>,
    held: &mut Held,
) -> Ended {
    let session = match session {
        Some(session) => session,
        None => match session::open(client, connect, 0).await {
            Ok(new) => session.insert(new),
            Err(error) => return Ended::NoSession(error.to_string()),
        },
    };
    match connection::connect(client.connections(), session).await {
        Ok(mut socket) => feed::feed(&mut socket, session.reconnect_after, inbox, held).await,
        Err(Unconnected::Refused(problem)) => Ended::Refused(problem),
        Err(Unconnected::Failed(problem)) => Ended::Unreachable(problem),
    }
}

#[cfg(test)]
mod tests;
