//! Stays after the lists are read, and follows what changes, without end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::apply::{Gone, Stopped};
use super::event::Event;
use super::follow::Follower;
use super::rereads::Rereads;
use crate::config::StripeConfig;
use crate::push::{self, Delivered, Receipt};

/// Seconds between two looks at the log, unless told otherwise.
const POLL: u64 = 60;

/// How long the log is left alone at most after it could not be read.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How often it is looked whether a list has to be read again.
const LOOK: Duration = Duration::from_secs(10);

/// Deliveries that are applied together.
const TOGETHER: usize = 100;

/// Polls, takes deliveries and reads lists again until nobody listens any more.
///
/// A delivery is answered once `durable` has counted the global state that was told behind it; without such a count,
/// once it was told.
pub(crate) async fn stay(
    follower: &mut Follower,
    rereads: &mut Rereads<'_>,
    mut inbox: push::Inbox,
    durable: Option<watch::Receiver<u64>>,
    config: &StripeConfig,
) {
    let interval = Duration::from_secs(config.poll_interval.map_or(POLL, |seconds| u64::from(seconds.get())));
    let mut next_poll = Instant::now();
    let mut next_look = Instant::now() + LOOK.min(interval);
    let mut pause = interval;
    loop {
        let result = tokio::select! {
            () = tokio::time::sleep_until(next_poll) => {
                let polled = follower.poll().await;
                match polled {
                    Ok(()) => pause = interval,
                    Err(Stopped::Gone) => return,
                    Err(Stopped::Refused(error)) => {
                        if follower.fail(&error).is_err() {
                            return;
                        }
                        pause = (pause * 2).min(LONGEST_PAUSE.max(interval));
                    }
                }
                next_poll = Instant::now() + pause;
                Ok(())
            }
            () = tokio::time::sleep_until(next_look) => {
                next_look = Instant::now() + LOOK.min(interval);
                rereads.perform(follower).await
            }
            delivered = inbox.recv() => match delivered {
                Some(delivered) => take(follower, &mut inbox, delivered, durable.clone()).await,
                None => std::future::pending().await,
            },
        };
        if result.is_err() {
            return;
        }
    }
}

/// Applies a delivery and those that wait behind it.
async fn take(
    follower: &mut Follower,
    inbox: &mut push::Inbox,
    first: Delivered,
    durable: Option<watch::Receiver<u64>>,
) -> Result<(), Gone> {
    let mut events: Vec<Event> = Vec::new();
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut next = Some(first);
    while let Some(Delivered { event, receipt }) = next {
        match Event::read(&event) {
            Ok(event) => {
                events.push(event);
                receipts.push(receipt);
            }
            Err(problem) => {
                tracing::warn!(problem = %problem.0, "a delivery is refused");
                receipt.refused(problem.0);
            }
        }
        next = if events.len() < TOGETHER { inbox.try_recv().ok() } else { None };
    }
    if events.is_empty() {
        return Ok(());
    }
    follower.take(&events).await?;
    let told = follower.told();
    // Whoever waits for the destination must not keep the next deliveries waiting.
    tokio::spawn(async move {
        if let Some(mut durable) = durable
            && durable.wait_for(|count| *count >= told).await.is_err()
        {
            // The sync is over; what was not stored is delivered again.
            return;
        }
        receipts.into_iter().for_each(Receipt::applied);
    });
    Ok(())
}
