//! Runs the reads of all accounts: begins them in turn, merges what they tell, routes deliveries to them, finds accounts
//! that are new.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered, SelectAll};
use protocol::{ConfiguredCatalog, ConnectionStatus, ConnectorError, Message, ReadRequest};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::choice::{Accounts, Chosen};
use super::merge::Trouble;
use super::merger::{Merger, Over};
use super::platform::{End, Platform};
use super::post::{Post, account_of};
use super::states::States;
use super::{find, input};
use crate::delivery::{Delivery, Sender};
use crate::driver::page_memory;
use crate::failure::RequestError;
use crate::push::{self, Delivered};
use crate::read::Calls;
use crate::room::Room;
use crate::streams;

/// Accounts whose lists are read at the same time.
const TURNS: usize = 4;

/// How often it is looked for new accounts, and for access to accounts that let nobody in.
const LOOK: Duration = Duration::from_secs(3600);

/// The least time between two looks for the accounts of deliveries that nobody knows.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Deliveries of unknown accounts that wait for the look.
const MOST_HELD: usize = 1_000;

/// Performs one read of several accounts and tells `sender`. An error is one that concerns all streams.
pub(crate) async fn read(
    platform: Platform,
    accounts: &Accounts,
    request: ReadRequest,
    states: States,
    sender: Sender,
) -> Result<(), ConnectorError> {
    let ReadRequest { catalog: wanted, state: _, input, durable } = request;
    if let Some(input) = input {
        return input::take(&platform, accounts, &wanted, &states, input, &sender).await;
    }
    let found = match platform.find(accounts).await {
        Ok(found) => found,
        Err(error) => {
            let failed = ConnectionStatus::failed(find::explain(&error).to_string());
            // Nobody listens any more if this fails.
            let _ = sender.send(Delivery::Message(Message::connection_status(failed)));
            return Ok(());
        }
    };
    let stays = platform.config.stays();
    // Deliveries begin at once; those of accounts that are not read yet are found in their logs all the same.
    let opened = if stays { Some(push::open(&platform.config, &platform.client).await?) } else { None };
    let (inbox, _guard) = opened.unzip();
    let (known, _) = streams::sort(&platform.catalog, &wanted);
    let names = known.iter().map(|known| Arc::clone(&known.configured.stream.name)).collect::<Vec<_>>();
    let clock = Instant::now();
    let rate = platform.access.limits.account_rate * TURNS as f64;
    let mut whole = Whole {
        merger: Merger::new(names, states, sender.clone(), Duration::ZERO),
        platform: Arc::new(platform),
        accounts: accounts.clone(),
        wanted: Arc::new(wanted),
        room: Room::new(page_memory(rate)),
        turns: Arc::new(Semaphore::new(TURNS)),
        clock,
        reads: SelectAll::new(),
        running: 0,
        waiting: VecDeque::new(),
        post: Post::default(),
        looks: FuturesUnordered::new(),
        looked: clock,
        held: Vec::new(),
        counts: durable.is_some(),
    };
    whole.begin(found);
    // Either it came to its end, or nobody listens any more, or it was told why it cannot go on.
    let _ = whole.run(inbox, durable, &sender).await;
    Ok(())
}

/// What the read of an account has to say.
#[derive(Debug)]
enum Told {
    Delivery(Delivery),
    Ended(Result<End, tokio::task::JoinError>),
}

/// All reads.
struct Whole {
    platform: Arc<Platform>,
    accounts: Accounts,
    wanted: Arc<ConfiguredCatalog>,
    room: Arc<Room>,
    turns: Arc<Semaphore>,
    merger: Merger,
    clock: Instant,
    /// What the reads tell, by the number of their account.
    reads: SelectAll<BoxStream<'static, (usize, Told)>>,
    /// Reads that have not ended.
    running: usize,
    /// Accounts that wait for their turn.
    waiting: VecDeque<(usize, Chosen)>,
    post: Post,
    /// The look for accounts, if one is under way.
    looks: FuturesUnordered<BoxFuture<'static, Result<Vec<Chosen>, RequestError>>>,
    looked: Instant,
    /// Deliveries of accounts that are looked for.
    held: Vec<(String, Delivered)>,
    /// Whether somebody counts what is durable.
    counts: bool,
}

impl Whole {
    /// Runs until all accounts have ended, or, while staying, for ever.
    async fn run(
        &mut self,
        mut inbox: Option<push::Inbox>,
        mut durable: Option<watch::Receiver<u64>>,
        listener: &Sender,
    ) -> Result<(), Over> {
        let stays = inbox.is_some();
        loop {
            let now = self.clock.elapsed();
            self.merger.tell_states(now)?;
            if !stays && self.running == 0 && self.waiting.is_empty() {
                return self.merger.finish();
            }
            let next_states = self.merger.next().map(|at| self.clock + at);
            let turns = Arc::clone(&self.turns);
            tokio::select! {
                Some((account, told)) = self.reads.next(), if self.running > 0 => {
                    self.take(account, told)?;
                }
                Ok(turn) = turns.acquire_owned(), if !self.waiting.is_empty() => {
                    if let Some((account, chosen)) = self.waiting.pop_front() {
                        self.start(account, chosen, Calls { turn: Some(turn), ..Calls::default() }, stays);
                    }
                }
                () = at(next_states) => {}
                Some(delivered) = next(&mut inbox) => self.deliver(delivered),
                Some(count) = changed(&mut durable) => self.merger.is_durable(count),
                () = tokio::time::sleep_until(self.looked + LOOK), if stays => self.look(),
                Some(found) = self.looks.next(), if !self.looks.is_empty() => self.looked_for(found),
                () = listener.closed() => return Err(Over),
            }
        }
    }

    /// Accounts are to be read: those that are being read already are not begun again.
    fn begin(&mut self, found: Vec<Chosen>) {
        for chosen in found {
            let known = self.merger.number_of(&chosen.id);
            if known.is_some_and(|account| self.merger.is_reading(account)) {
                continue;
            }
            let account = self.merger.begin(&chosen.id, self.platform.is_own(&chosen));
            self.waiting.push_back((account, chosen));
        }
    }

    /// Starts the read of an account whose turn it is.
    fn start(&mut self, account: usize, chosen: Chosen, mut calls: Calls, stays: bool) {
        if stays {
            calls.inbox = Some(self.post.open(&chosen.id));
        }
        if self.counts {
            calls.durable = Some(self.merger.durable_of(account));
        }
        let (sender, told) = mpsc::unbounded_channel();
        let (wanted, room) = (Arc::clone(&self.wanted), Arc::clone(&self.room));
        let state = self.merger.state_of(account);
        let read = Arc::clone(&self.platform).read(chosen, wanted, room, state, sender, calls);
        let task = AbortOnDropHandle::new(tokio::spawn(read.in_current_span()));
        let told = stream::unfold((told, Some(task)), move |(mut told, task)| async move {
            match told.recv().await {
                Some(delivery) => Some(((account, Told::Delivery(delivery)), (told, task))),
                // The task has let go of its sender: it is over, well or not.
                None => Some(((account, Told::Ended(task?.await)), (told, None))),
            }
        });
        self.reads.push(told.boxed());
        self.running += 1;
    }

    fn take(&mut self, account: usize, told: Told) -> Result<(), Over> {
        let ended = match told {
            Told::Delivery(delivery) => return self.merger.take(account, delivery, self.clock.elapsed()),
            Told::Ended(ended) => ended,
        };
        self.running -= 1;
        self.post.close(self.merger.id_of(account));
        match ended {
            Ok(End::Done) => self.merger.end(account, None),
            Ok(End::NoAccess(why)) => {
                let trouble = match self.accounts {
                    // It is no longer one of all.
                    Accounts::All => Trouble::Skipped(why),
                    Accounts::These(_) => Trouble::Failed(why),
                };
                self.merger.end(account, Some(&trouble))
            }
            Err(error) => {
                let failed = ConnectorError::internal("the reader of an account stopped unexpectedly")
                    .caused_by(error);
                self.merger.take(account, Delivery::Failed(failed), self.clock.elapsed())
            }
        }
    }

    /// Hands a delivery to its account; looks for the account where nobody knows it.
    fn deliver(&mut self, delivered: Delivered) {
        let account = account_of(&delivered.event).unwrap_or_else(|| self.platform.own.id.clone());
        if self.post.reaches(&account) {
            return self.post.deliver(&account, delivered);
        }
        if self.merger.number_of(&account).is_some() {
            delivered
                .receipt
                .refused(format!("{account} is not read at present; its events are found in its log"));
        } else if self.accounts != Accounts::All {
            // Nothing of it is kept.
            tracing::debug!(account, "an event of an account that is not read");
            delivered.receipt.applied();
        } else if self.held.len() >= MOST_HELD
            || (self.looks.is_empty() && self.looked.elapsed() < LOOK_AGAIN)
        {
            refuse(&account, delivered);
        } else {
            self.held.push((account, delivered));
            self.look();
        }
    }

    /// Looks which accounts there are, if nobody does.
    fn look(&mut self) {
        self.looked = Instant::now();
        if self.looks.is_empty() {
            let (platform, accounts) = (Arc::clone(&self.platform), self.accounts.clone());
            self.looks.push(Box::pin(async move { platform.find(&accounts).await }));
        }
    }

    fn looked_for(&mut self, found: Result<Vec<Chosen>, RequestError>) {
        match found {
            Ok(found) => self.begin(found),
            Err(error) => {
                tracing::warn!(%error, "the connected accounts cannot be listed; going on with those known");
            }
        }
        for (account, delivered) in std::mem::take(&mut self.held) {
            match self.merger.number_of(&account) {
                // Its first read begins after the event, and so shows what it says.
                Some(_) => delivered.receipt.refused(format!("{account} is about to be read; try again")),
                None => refuse(&account, delivered),
            }
        }
    }
}

fn refuse(account: &str, delivered: Delivered) {
    tracing::warn!(account, "an event of an account that is not among those of the key is refused");
    let why = format!(
        "{account} is not among the accounts that are read: it is not connected to the account of the key"
    );
    delivered.receipt.refused(why);
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn next(inbox: &mut Option<push::Inbox>) -> Option<Delivered> {
    match inbox {
        Some(inbox) => inbox.recv().await,
        None => std::future::pending().await,
    }
}

/// The count of durable states, when it changes.
async fn changed(durable: &mut Option<watch::Receiver<u64>>) -> Option<u64> {
    match durable {
        Some(counts) => match counts.changed().await {
            Ok(()) => Some(*counts.borrow_and_update()),
            Err(_) => {
                *durable = None;
                None
            }
        },
        None => std::future::pending().await,
    }
}
