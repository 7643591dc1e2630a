//! Makes one read of the reads of several accounts.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::{
    ConnectionState, Log, LogLevel, Message, Payload, RawJson, SourceStateMessage, StreamStatus, counted,
};
use tokio::sync::watch;

use super::budget::Budget;
use super::merge::{Statuses, Trouble};
use super::states::{States, Whose};
use crate::delivery::{Delivery, Sender};

/// Nobody listens any more, or nothing more can be read.
#[derive(Debug)]
pub(crate) struct Over;

/// What is told of an account's read is told on as part of the whole. Rows pass as they are.
#[derive(Debug)]
pub(crate) struct Merger {
    parts: Vec<Part>,
    by_id: HashMap<Arc<str>, usize>,
    states: States,
    statuses: Statuses,
    budget: Budget,
    sender: Sender,
    /// Streams whose state changed since it was told.
    changed: BTreeSet<Arc<str>>,
    /// Of these, the ones that changed before their account said for the first time where it follows events from. What
    /// they say must be stored before that: they may take back what was read.
    changed_before_events: BTreeSet<Arc<str>>,
    global_changed: bool,
    /// Whether an account is in the global state that was not told of yet: streams are stored behind that.
    global_is_first: bool,
    /// Global states that were told, and not counted as durable: their number, and which of their own each account
    /// told before.
    told: VecDeque<(u64, BTreeMap<usize, u64>)>,
    globals: u64,
    /// What the next global state is the first to hold.
    pending: BTreeMap<usize, u64>,
}

/// An account of the read.
#[derive(Debug)]
struct Part {
    id: Arc<str>,
    is_own: bool,
    rows: u64,
    /// Global states that it told.
    globals: u64,
    /// How many of them are durable.
    durable: watch::Sender<u64>,
    /// Whether its end was logged.
    logged: bool,
}

impl Part {
    fn whose(&self) -> Whose<'_> {
        (!self.is_own).then_some(&*self.id)
    }
}

impl Merger {
    /// Begins with the `states` of an earlier read. `now` is any clock's time.
    pub(crate) fn new(
        streams: impl IntoIterator<Item = Arc<str>>,
        states: States,
        sender: Sender,
        now: Duration,
    ) -> Merger {
        Merger {
            parts: Vec::new(),
            by_id: HashMap::new(),
            states,
            statuses: Statuses::new(streams),
            budget: Budget::new(now),
            sender,
            changed: BTreeSet::new(),
            changed_before_events: BTreeSet::new(),
            global_changed: false,
            global_is_first: false,
            told: VecDeque::new(),
            globals: 0,
            pending: BTreeMap::new(),
        }
    }

    /// An account is going to be read, for the first time or again; answers its number.
    pub(crate) fn begin(&mut self, id: &str, is_own: bool) -> usize {
        let next = self.parts.len();
        let id: Arc<str> = id.into();
        let number = *self.by_id.entry(Arc::clone(&id)).or_insert(next);
        self.statuses.begin(number, &id);
        if number == next {
            let durable = watch::Sender::new(0);
            self.parts.push(Part { id, is_own, rows: 0, globals: 0, durable, logged: false });
        } else {
            let part = &mut self.parts[number];
            (part.globals, part.logged) = (0, false);
            part.durable.send_replace(0);
            // What its earlier read told is not what the new one waits for.
            self.pending.remove(&number);
            self.told.iter_mut().for_each(|(_, told)| {
                told.remove(&number);
            });
        }
        number
    }

    /// The number of an account.
    pub(crate) fn number_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn id_of(&self, account: usize) -> &str {
        &self.parts[account].id
    }

    /// Whether an account is to be read, and has not ended.
    pub(crate) fn is_reading(&self, account: usize) -> bool {
        self.statuses.is_reading(account)
    }

    /// Where an account stands.
    pub(crate) fn state_of(&self, account: usize) -> protocol::SourceState {
        self.states.of(self.parts[account].whose())
    }

    /// Counts the global states of an account that are durable.
    pub(crate) fn durable_of(&self, account: usize) -> watch::Receiver<u64> {
        self.parts[account].durable.subscribe()
    }

    /// So many of the global states that were told are durable.
    pub(crate) fn is_durable(&mut self, count: u64) {
        while self.told.front().is_some_and(|(number, _)| *number <= count) {
            let Some((_, accounts)) = self.told.pop_front() else { return };
            for (account, globals) in accounts {
                self.parts[account].durable.send_replace(globals);
            }
        }
    }

    /// Takes in what the read of an account tells.
    pub(crate) fn take(&mut self, account: usize, delivery: Delivery, now: Duration) -> Result<(), Over> {
        let message = match delivery {
            Delivery::Page(page) => {
                self.budget.earn(page.page.bytes());
                self.parts[account].rows += page.keep as u64;
                return self.tell(Delivery::Page(page));
            }
            Delivery::Failed(error) => return self.tell(Delivery::Failed(error)).and(Err(Over)),
            Delivery::Message(message) => message,
        };
        match message.payload {
            Payload::SourceState(state) => {
                self.take_state(account, state);
                self.tell_states(now)
            }
            Payload::StreamStatus(said) => {
                if let StreamStatus::Error { error } = &said.status {
                    // The stream's own end may be hours away.
                    self.log(account, LogLevel::Warn, &format!("{}: {error}", said.stream))?;
                }
                let told = self.statuses.take(account, &said.stream, said.status);
                self.tell_statuses(told.into_iter().map(|status| (Arc::clone(&said.stream), status)))?;
                self.log_if_read(account)
            }
            Payload::Log(Log { level, message, .. }) => self.log(account, level, &message),
            Payload::ConnectionStatus(status) => {
                let failed = status.status == ConnectionState::Failed;
                self.say(Payload::ConnectionStatus(status).into())?;
                // It is the key that is refused.
                if failed { Err(Over) } else { Ok(()) }
            }
            _ => self.say(message),
        }
    }

    /// The read of an account is over, because of `trouble` if there is any.
    pub(crate) fn end(&mut self, account: usize, trouble: Option<&Trouble>) -> Result<(), Over> {
        if let Some(Trouble::Skipped(why) | Trouble::Failed(why)) = trouble {
            self.log(account, LogLevel::Warn, &format!("it is not read any more: {why}"))?;
        }
        let told = self.statuses.end(account, trouble);
        self.tell_statuses(told)?;
        self.log_if_read(account)
    }

    /// Tells all that was not told yet, at the end of the read.
    pub(crate) fn finish(&mut self) -> Result<(), Over> {
        self.tell_global()?;
        self.tell_all_streams()
    }

    /// Tells states that waited, if it is time.
    pub(crate) fn tell_states(&mut self, now: Duration) -> Result<(), Over> {
        if !self.is_behind() || !self.budget.allows(now) {
            return Ok(());
        }
        if self.global_is_first || self.changed.is_empty() {
            self.tell_global()?;
        }
        self.tell_all_streams()?;
        self.tell_global()
    }

    /// When states that wait may be told.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.is_behind().then(|| self.budget.next())
    }

    fn is_behind(&self) -> bool {
        self.global_changed || !self.changed.is_empty()
    }

    fn take_state(&mut self, account: usize, state: SourceStateMessage) {
        let part = &mut self.parts[account];
        match state {
            SourceStateMessage::Stream { stream, data } => {
                self.states.set_stream(part.whose(), &stream, data);
                if part.globals == 0 {
                    self.changed_before_events.insert(Arc::clone(&stream));
                }
                self.changed.insert(stream);
            }
            SourceStateMessage::Global { data } => {
                self.states.set_global(part.whose(), data);
                self.global_is_first |= part.globals == 0;
                part.globals += 1;
                self.pending.insert(account, part.globals);
                self.global_changed = true;
            }
        }
    }

    fn tell_all_streams(&mut self) -> Result<(), Over> {
        while let Some(stream) = self.changed.first().map(Arc::clone) {
            self.tell_stream(&stream)?;
        }
        Ok(())
    }

    /// Tells the state of a stream, if it changed.
    fn tell_stream(&mut self, stream: &Arc<str>) -> Result<(), Over> {
        if self.global_is_first {
            self.tell_global()?;
        }
        self.tell_stream_alone(stream)
    }

    fn tell_stream_alone(&mut self, stream: &Arc<str>) -> Result<(), Over> {
        if !self.changed.remove(stream) {
            return Ok(());
        }
        self.changed_before_events.remove(stream);
        let data = self.states.stream(stream);
        self.budget.spend(data.len());
        self.say(Message::stream_state(stream, data))
    }

    /// Tells the global state, if it changed.
    fn tell_global(&mut self) -> Result<(), Over> {
        if !std::mem::take(&mut self.global_changed) {
            return Ok(());
        }
        for stream in std::mem::take(&mut self.changed_before_events) {
            self.tell_stream_alone(&stream)?;
        }
        self.global_is_first = false;
        let data: RawJson = self.states.global();
        self.budget.spend(data.len());
        self.globals += 1;
        self.told.push_back((self.globals, std::mem::take(&mut self.pending)));
        self.say(Payload::SourceState(SourceStateMessage::Global { data }).into())
    }

    fn tell_statuses(
        &mut self,
        said: impl IntoIterator<Item = (Arc<str>, StreamStatus)>,
    ) -> Result<(), Over> {
        for (stream, status) in said {
            if status.is_terminal() {
                self.tell_stream(&stream)?;
            }
            self.say(Message::stream_status(&stream, status))?;
        }
        Ok(())
    }

    /// Logs how the lists of an account were read, once they were.
    fn log_if_read(&mut self, account: usize) -> Result<(), Over> {
        if self.parts[account].logged || !self.statuses.is_read(account) {
            return Ok(());
        }
        self.parts[account].logged = true;
        let mut skipped: Vec<&str> = Vec::new();
        let mut failed: Vec<&str> = Vec::new();
        for (stream, trouble) in self.statuses.troubles(account) {
            match trouble {
                Trouble::Skipped(_) => skipped.push(stream),
                Trouble::Failed(_) => failed.push(stream),
            }
        }
        let part = &self.parts[account];
        let of = format!("{} ({} of {})", part.id, account + 1, self.parts.len());
        let mut sentence = format!("{of}: {}", counted(part.rows, "row"));
        for (what, streams) in [("skipped", skipped), ("failed", failed)] {
            if !streams.is_empty() {
                sentence = format!("{sentence}, {what}: {}", streams.join(", "));
            }
        }
        self.say(Message::log(LogLevel::Info, sentence))
    }

    fn log(&self, account: usize, level: LogLevel, message: &str) -> Result<(), Over> {
        self.say(Message::log(level, format!("{}: {message}", self.parts[account].id)))
    }

    fn say(&self, message: Message) -> Result<(), Over> {
        self.tell(Delivery::Message(message))
    }

    fn tell(&self, delivery: Delivery) -> Result<(), Over> {
        self.sender.send(delivery).map_err(|_| Over)
    }
}

#[cfg(test)]
#[path = "merger_tests.rs"]
mod tests;
