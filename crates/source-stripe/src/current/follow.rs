//! Follows the events of an account: polls their log, and takes those that are delivered.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::{LogLevel, Message, Payload, RawJson, SourceStateMessage, StreamStatus};

use super::apply::{Applier, Failed, Gone, Stopped, Task, Todo};
use super::coverage::{Coverage, Key, What};
use super::event::Event;
use super::log::EventLog;
use super::position::{MOST_UNREAD, Position, Unread};
use super::standing::{Standing, Trouble};
use crate::config::StripeConfig;
use crate::failure::RequestError;
use crate::page::{PageBuilder, Stamp};
use crate::verdict;

/// How events are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Seconds that an event has to surface before the log is believed to be complete.
    pub(crate) lag: i64,
    /// Seconds before the cursor that are looked at again for events that surfaced later than that.
    pub(crate) overlap: i64,
}

/// Seconds that an event has to surface, unless told otherwise.
const LAG: u32 = 60;

/// The overlap, in lags.
const OVERLAP: i64 = 5;

/// The overlap at the least: seconds.
const LEAST_OVERLAP: i64 = 10;

impl Pace {
    /// As configured.
    pub(crate) fn of(config: &StripeConfig) -> Pace {
        let lag = i64::from(config.events_lag.unwrap_or(LAG));
        Pace { lag, overlap: (lag * OVERLAP).max(LEAST_OVERLAP) }
    }
}

/// The events of an account, from where they were left.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) applier: Applier,
    log: EventLog,
    pace: Pace,
    pub(crate) position: Position,
    /// Ids and seconds of processed events that may be seen again, oldest first.
    seen: Vec<(String, i64)>,
    seen_ids: HashSet<String>,
    /// Streams of events themselves, if they are synced: by Stripe's name of the kind.
    event_streams: Vec<(&'static str, Arc<str>)>,
    /// Which streams are not current.
    pub(crate) standing: Standing,
    /// Whether the position was not told yet.
    is_new: bool,
    /// Whether it was said that the log cannot be read.
    refused: bool,
    /// How many global states were told.
    told: u64,
}

impl Follower {
    pub(crate) fn new(
        mut applier: Applier,
        log: EventLog,
        pace: Pace,
        position: Position,
        event_streams: Vec<(&'static str, Arc<str>)>,
        is_new: bool,
    ) -> Follower {
        // Events that surface now although they are older may be out of order with what was written.
        applier.coverage = Coverage::new(position.events_cursor - 1);
        let seen: Vec<(String, i64)> =
            position.events_seen.iter().map(|id| (id.clone(), position.events_cursor - 1)).collect();
        let seen_ids = position.events_seen.iter().cloned().collect();
        let standing = Standing::default();
        Follower {
            applier,
            log,
            pace,
            position,
            seen,
            seen_ids,
            event_streams,
            standing,
            is_new,
            refused: false,
            told: 0,
        }
    }

    /// Tells where events are followed from, before anything is read: whatever happens from then on is found there.
    pub(crate) fn start(&mut self) {
        if std::mem::take(&mut self.is_new) {
            // Nobody listens any more if this fails; the task is then aborted.
            let _ = self.tell_position();
        }
    }

    /// A stream whose rows were read before is read again as a whole, for as long as that takes.
    pub(crate) fn begins_anew(&mut self, stream: &str) {
        self.is_new |= self.position.anew.insert(stream.to_owned());
    }

    /// Whether a stream was begun anew before, and has not come to its end.
    pub(crate) fn is_anew(&self, stream: &str) -> bool {
        self.position.anew.contains(stream)
    }

    /// The lists of the streams that `are` were read to their ends.
    pub(crate) fn have_ended(&mut self, are: impl Fn(&str) -> bool) -> Result<(), Gone> {
        let before = self.position.anew.len();
        self.position.anew.retain(|stream| !are(stream));
        if self.position.anew.len() < before { self.tell_position() } else { Ok(()) }
    }

    /// How many global states were told so far.
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// Reads the log up to the present, oldest events first, and tells what changed. After each stretch the position is
    /// told, so that it is stored behind what it stands for.
    pub(crate) async fn poll(&mut self) -> Result<(), Stopped> {
        self.read_the_unread().await?;
        let until = self.applier.client.now() - self.pace.lag;
        let mut from = self.position.from(self.pace.overlap);
        let before = self.position.clone();
        while from < until {
            let stretch = self.log.stretch(&self.applier.client, from, until).await?;
            let new: Vec<Event> =
                stretch.events.into_iter().filter(|event| !self.seen_ids.contains(&event.id)).collect();
            self.process(&new, stretch.end).await?;
            from = stretch.end;
        }
        self.refused = false;
        self.applier.say_all(self.standing.settled(Trouble::Log))?;
        if self.position != before {
            self.tell_position()?;
        }
        Ok(())
    }

    /// Applies events of the log and notes that all before `end` were.
    async fn process(&mut self, events: &[Event], end: i64) -> Result<(), Stopped> {
        self.tell_events(events)?;
        let failed = self.applier.apply(events).await?;
        let held = !self.note_failed(failed)?;
        self.remember(events);
        if held {
            // Too much waits to be read: it is found again in the log.
            return Err(Stopped::Refused(RequestError::NoAnswer(format!(
                "more than {MOST_UNREAD} changed objects could not be read again"
            ))));
        }
        self.position.advance(end, self.pace.overlap, &mut self.seen);
        self.seen_ids = self.seen.iter().map(|(id, _)| id.clone()).collect();
        self.applier.coverage.processed(end - 1);
        if !events.is_empty() {
            self.tell_position()?;
        }
        Ok(())
    }

    /// Applies events that were delivered, in the order in which they came. They may be anything: old, doubled, or not
    /// in the log yet. The log's cursor stays where it is, so that whatever was not delivered is found there.
    pub(crate) async fn take(&mut self, events: &[Event]) -> Result<(), Gone> {
        let new: Vec<Event> =
            events.iter().filter(|event| !self.seen_ids.contains(&event.id)).cloned().collect();
        self.tell_events(&new)?;
        let failed = self.applier.apply(&new).await?;
        if self.note_failed(failed)? {
            self.remember(&new);
            let cursor = self.position.events_cursor;
            self.position.advance(cursor, self.pace.overlap, &mut self.seen);
        }
        self.tell_position()
    }

    fn remember(&mut self, events: &[Event]) {
        for event in events {
            if self.seen_ids.insert(event.id.clone()) {
                self.seen.push((event.id.clone(), event.created));
            }
        }
    }

    /// Tells events as rows, where they are synced themselves.
    fn tell_events(&self, events: &[Event]) -> Result<(), Gone> {
        for (kind, stream) in &self.event_streams {
            let mut rows = PageBuilder::default();
            for event in events {
                let is_v2 = event.kind.starts_with("v2.");
                if is_v2 != kind.starts_with("v2.") {
                    continue;
                }
                let stamp = Stamp::certain(&self.applier.account_id, event.created);
                let stamp = stamp.written_by("event", self.applier.name_of(event));
                // Whatever cannot be a row is told of by the list of events.
                let _ = rows.push(event.text.as_str(), Some(&stamp));
            }
            if rows.count() > 0 {
                self.applier.tell(stream, rows.finish(), None)?;
            }
        }
        Ok(())
    }

    /// Notes objects that could not be read, to try again, and says so of their streams. Answers false when there are
    /// too many.
    fn note_failed(&mut self, failed: Vec<Failed>) -> Result<bool, Gone> {
        for Failed { task, streams, error } in failed {
            let name = self.applier.tables.table(&task.key).name.clone();
            if matches!(verdict::of(&name, &error), StreamStatus::Skip { .. }) {
                // It was said of the stream when its list was read.
                tracing::debug!(table = name, %error, "a changed object may not be read");
                continue;
            }
            let why = error.to_string();
            let said =
                streams.iter().filter_map(|stream| self.standing.trouble(stream, Trouble::Object, &why));
            self.applier.say_all(said)?;
            if self.position.unread.len() >= MOST_UNREAD {
                return Ok(false);
            }
            self.position.unread.push(unread(name, task));
        }
        Ok(true)
    }

    /// Tries again what could not be read.
    async fn read_the_unread(&mut self) -> Result<(), Gone> {
        if self.position.unread.is_empty() {
            return Ok(());
        }
        let tasks: Vec<Task> = std::mem::take(&mut self.position.unread)
            .into_iter()
            .filter_map(|unread| self.task(unread))
            .collect();
        let failed = self.applier.perform(tasks).await?;
        self.note_failed(failed)?;
        if self.position.unread.is_empty() {
            self.applier.say_all(self.standing.settled(Trouble::Object))?;
        }
        self.tell_position()
    }

    fn task(&self, unread: Unread) -> Option<Task> {
        let table = self.applier.tables.index(&unread.table)?;
        let what = if unread.siblings { What::Under(unread.id) } else { What::Row(unread.id) };
        let todo = Todo::Read { second: unread.since, in_doubt: true };
        Some(Task { key: Key { table, what }, parent: unread.parent, todo })
    }

    /// Tells where the reading of events stands, as the source's global state.
    pub(crate) fn tell_position(&mut self) -> Result<(), Gone> {
        let data = match RawJson::from_value(&self.position) {
            Ok(data) => data,
            Err(error) => {
                tracing::error!(%error, "a position cannot be written");
                return Err(Gone);
            }
        };
        self.told += 1;
        self.applier.say(Payload::SourceState(SourceStateMessage::Global { data }).into())
    }

    /// Says why the log cannot be read, and which streams are not current for it.
    pub(crate) fn fail(&mut self, error: &RequestError) -> Result<(), Gone> {
        self.warn(error)?;
        self.applier.say_all(self.standing.log_failed(&reason(error)))
    }

    /// Says, once, why the log cannot be read.
    pub(crate) fn warn(&mut self, error: &RequestError) -> Result<(), Gone> {
        if std::mem::replace(&mut self.refused, true) {
            tracing::debug!(%error, "events still cannot be read");
            return Ok(());
        }
        let warning = format!(
            "changes to objects that were read before are not seen at present, because events cannot be read: {}",
            reason(error)
        );
        self.applier.say(Message::log(LogLevel::Warn, warning))
    }
}

/// Why the log cannot be read, and what to do where that is known.
fn reason(error: &RequestError) -> String {
    match verdict::of("event", error) {
        StreamStatus::Skip { reason } => reason,
        _ => error.to_string(),
    }
}

fn unread(table: String, task: Task) -> Unread {
    let second = match &task.todo {
        Todo::Write(event) | Todo::Delete(event) => event.created,
        Todo::Read { second, .. } => *second,
    };
    let (id, siblings) = match task.key.what {
        What::Row(id) => (id, false),
        What::Under(parent) => (parent, true),
    };
    Unread { table, id, siblings, parent: task.parent, since: second }
}
