//! Does what was decided about a batch of events: writes payloads, reads objects again, deletes.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use protocol::{Message, Sweep, Timestamp};
use stripe_openapi::knowledge::events::deletes;
use tokio::sync::mpsc;

use super::coverage::{Coverage, Key, What};
use super::decide::{Act, Hint, decide};
use super::event::{Event, Subject};
use super::tables::{ChildFeed, Table, Tables, Target};
use crate::children::{Arrived, Reading, Under, rows_of, sweep_message};
use crate::client::{Client, Get, Received};
use crate::delivery::{Delivered, Delivery, Sender};
use crate::failure::RequestError;
use crate::nested;
use crate::page::{Page, Shape, Stamp, read_page};
use crate::retry::PATIENT;
use crate::room::{Reserved, Room};

/// Objects that are worked on at the same time.
const AT_ONCE: usize = 16;

/// How much memory an object with its children is thought to take.
const OBJECT_BYTES: usize = 64 << 10;

/// How often an object is read until the answer is certain to be newer than the second in doubt.
const READINGS: usize = 6;

/// Whoever pulls the messages is gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Why something was not brought to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Nobody listens any more.
    Gone,
    /// Stripe did not answer as it should.
    Refused(RequestError),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Stopped {
        Stopped::Gone
    }
}

impl From<RequestError> for Stopped {
    fn from(error: RequestError) -> Stopped {
        Stopped::Refused(error)
    }
}

/// Applies events to the streams of one account.
#[derive(Debug)]
pub(crate) struct Applier {
    pub(crate) client: Arc<Client>,
    pub(crate) room: Arc<Room>,
    pub(crate) account_id: Arc<str>,
    /// The version that rows are stored in.
    pub(crate) api_version: String,
    pub(crate) tables: Tables,
    pub(crate) coverage: Coverage,
    pub(crate) sender: Sender,
}

/// What is to be done about an object, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) key: Key,
    pub(crate) parent: Option<String>,
    pub(crate) todo: Todo,
}

#[derive(Debug, Clone)]
pub(crate) enum Todo {
    Write(Event),
    Delete(Event),
    Read { second: i64, in_doubt: bool },
}

/// An object that could not be brought up to date.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) task: Task,
    /// The streams that are not current for it.
    pub(crate) streams: Vec<Arc<str>>,
    pub(crate) error: RequestError,
}

impl Applier {
    /// Applies a batch of events: all of them, but for those that are answered.
    pub(crate) async fn apply(&mut self, events: &[Event]) -> Result<Vec<Failed>, Gone> {
        let mut hints: Vec<Hint> = Vec::new();
        let mut about: Vec<(&Event, Target)> = Vec::new();
        for event in events {
            // Another account's objects are told apart by their account, and are not asked for with this key.
            if event.account.as_deref().is_some_and(|account| account != &*self.account_id) {
                tracing::debug!(event = %event.id, account = ?event.account, "an event of another account");
                continue;
            }
            let Some(target) = self.tables.target(event) else { continue };
            hints.push(self.hint(event, &target));
            about.push((event, target));
        }
        let tasks = decide(&hints, &self.coverage).into_iter().map(|(key, act)| {
            let (index, todo) = match act {
                Act::Write(index) => (index, Todo::Write(about[index].0.clone())),
                Act::Delete(index) => (index, Todo::Delete(about[index].0.clone())),
                Act::Read { second, last, in_doubt } => (last, Todo::Read { second, in_doubt }),
            };
            Task { key, parent: about[index].1.parent.clone(), todo }
        });
        let tasks = tasks.collect();
        self.perform(tasks).await
    }

    fn hint(&self, event: &Event, target: &Target) -> Hint {
        let table = self.tables.table(&target.key);
        let is_row = matches!(target.key.what, What::Row(_));
        let shown = match &event.subject {
            Subject::Shown { deleted, .. } => Some(*deleted),
            _ => None,
        };
        let usable = is_row
            && shown.is_some()
            && event.api_version.as_deref() == Some(self.api_version.as_str())
            && !table.always_read
            && (target.parent.is_some() || !table.names_parent);
        let deletes = is_row && (deletes(&event.kind) || shown == Some(true));
        Hint { key: target.key.clone(), second: event.created, deletes, usable }
    }

    /// Does these tasks, several at a time; answers those that failed.
    pub(crate) async fn perform(&mut self, tasks: Vec<Task>) -> Result<Vec<Failed>, Gone> {
        let this = &*self;
        let mut done = stream::iter(tasks)
            .map(|task| async move {
                let result = this.perform_one(&task).await;
                (task, result)
            })
            .buffer_unordered(AT_ONCE);
        let mut failed = Vec::new();
        let mut written: Vec<(Key, i64)> = Vec::new();
        while let Some((task, result)) = done.next().await {
            match result {
                Ok(second) => written.push((task.key, second)),
                Err(Stopped::Gone) => return Err(Gone),
                Err(Stopped::Refused(error)) => {
                    let table = this.tables.table(&task.key);
                    let children = table.children.iter().map(|child| &child.stream);
                    let streams = table.stream.iter().chain(children).map(Arc::clone).collect();
                    failed.push(Failed { task, streams, error });
                }
            }
        }
        drop(done);
        for (key, second) in written {
            self.coverage.written(key, second);
        }
        Ok(failed)
    }

    /// Answers the second before which all changes of the object are written now.
    async fn perform_one(&self, task: &Task) -> Result<i64, Stopped> {
        let table = self.tables.table(&task.key);
        match (&task.key.what, &task.todo) {
            (What::Row(id), Todo::Delete(event)) => {
                self.entomb(table, id, task.parent.as_deref(), event.created)?;
                Ok(event.created)
            }
            (What::Row(_), Todo::Write(event)) => self.write(table, task, event).await,
            (What::Row(id), Todo::Read { second, in_doubt }) => {
                self.read(table, id, task, *second, *in_doubt).await
            }
            (What::Under(parent), todo) => {
                let second = match todo {
                    Todo::Read { second, .. } => *second,
                    Todo::Write(event) | Todo::Delete(event) => event.created,
                };
                self.read_siblings(table, parent, second).await
            }
        }
    }

    fn stamp(&self, table: &Table, parent: Option<&str>, version: i64) -> Stamp {
        let stamp = Stamp::certain(&self.account_id, version);
        match parent.filter(|_| table.names_parent) {
            Some(parent) => stamp.under(parent),
            None => stamp,
        }
    }

    /// The event's id, if rows are to say where they come from.
    pub(crate) fn name_of<'e>(&self, event: &'e Event) -> Option<&'e str> {
        self.client.tells_provenance().then_some(&*event.id)
    }

    /// Tells that a row and all under it are gone as of a second.
    pub(crate) fn entomb(
        &self,
        table: &Table,
        id: &str,
        parent: Option<&str>,
        version: i64,
    ) -> Result<(), Gone> {
        let text = serde_json::json!({ "id": id, "deleted": true }).to_string();
        if let Some(stream) = &table.stream
            && let Ok(page) = read_page(text.as_bytes(), Shape::Single, &self.stamp(table, parent, version))
        {
            self.tell(stream, page, None)?;
        }
        for child in &table.children {
            let account = self.account_id.to_string();
            let sweep = Sweep { parent: id.to_owned(), account, keep: Vec::new(), version };
            self.sweep(&child.stream, &sweep)?;
        }
        Ok(())
    }

    async fn write(&self, table: &Table, task: &Task, event: &Event) -> Result<i64, Stopped> {
        let Subject::Shown { object, .. } = &event.subject else { return Ok(event.created) };
        let stamp = self.stamp(table, task.parent.as_deref(), event.created);
        let stamp = stamp.written_by("event", self.name_of(event));
        let page = read_page(object.as_bytes(), Shape::Single, &stamp)
            .map_err(|problem| RequestError::NoAnswer(format!("event {}: {}", event.id, problem.0)))?;
        let reserved = self.room.wait_for(page.bytes()).await;
        self.tell_whole(table, page, &stamp, reserved).await?;
        Ok(event.created)
    }

    async fn read(
        &self,
        table: &Table,
        id: &str,
        task: &Task,
        second: i64,
        in_doubt: bool,
    ) -> Result<i64, Stopped> {
        if !table.needs_object() {
            self.tell_listed(table, id, second).await?;
            return Ok(second);
        }
        let Some(path) = table.path_of(id, task.parent.as_deref()) else {
            tracing::debug!(table = %table.name, id, "a row cannot be read by itself; reconcile finds it");
            return Ok(second);
        };
        let endpoint: Arc<str> = table.retrieve.as_deref().unwrap_or(&path).into();
        let expand = table.expand.iter().map(|field| ("expand[]".to_owned(), field.clone()));
        let get = Get { query: expand.collect(), ..Get::plain(&path) };
        for reading in 1.. {
            let reserved = self.room.wait_for(OBJECT_BYTES).await;
            let read = |received: &Received| {
                let stamp = self.stamp(table, task.parent.as_deref(), received.as_of.max(second));
                let stamp = stamp.written_by("read", received.name.as_deref());
                Ok((read_page(&received.body, Shape::Single, &stamp)?, stamp, received.as_of))
            };
            let (page, stamp, as_of) = match self.client.fetch_at(&endpoint, &get, None, PATIENT, read).await
            {
                Ok(answer) => answer,
                Err(RequestError::Api(error)) if table.says_gone(&error) => {
                    let version = error.as_of.max(second);
                    self.entomb(table, id, task.parent.as_deref(), version)?;
                    return Ok(version);
                }
                Err(error) => return Err(error.into()),
            };
            if page.record(0).is_none_or(|(_, deleted)| deleted) {
                self.entomb(table, id, task.parent.as_deref(), stamp.version())?;
                return Ok(stamp.version());
            }
            // What happened last within a second is certain only from a later one on. Above all, a row that was deleted
            // and made again within it must be newer than its tombstone.
            if in_doubt && as_of <= second && reading < READINGS {
                drop(reserved);
                tokio::time::sleep(Duration::from_millis(700)).await;
                continue;
            }
            self.tell_whole(table, page, &stamp, reserved).await?;
            return Ok(second.max(as_of + 1));
        }
        Ok(second)
    }

    /// Reads all rows under a parent again.
    async fn read_siblings(&self, table: &Table, parent: &str, second: i64) -> Result<i64, Stopped> {
        let (Some(stream), Some(under)) = (&table.stream, table.listed_under()) else {
            return Ok(second);
        };
        self.read_under(stream, under, parent, second).await?;
        Ok(second)
    }

    /// Tells an object and what is in or under it.
    async fn tell_whole(
        &self,
        table: &Table,
        mut page: Page,
        stamp: &Stamp,
        mut reserved: Reserved,
    ) -> Result<(), Stopped> {
        let id = page.ids().next().unwrap_or_default().to_owned();
        if table.needs_object() {
            let grown = |bytes| reserved.set(bytes);
            nested::complete::complete_page(&self.client, &mut page, grown).await?;
            self.tell_nested(table, &page, stamp)?;
        }
        // The memory is free for the rows below before they are asked for.
        match &table.stream {
            Some(stream) => self.tell(stream, page, Some(reserved))?,
            None => drop((page, reserved)),
        }
        self.tell_listed(table, &id, stamp.version()).await
    }

    /// Tells the rows that lie in the nested lists of an object.
    fn tell_nested(&self, table: &Table, page: &Page, stamp: &Stamp) -> Result<(), Gone> {
        for child in &table.children {
            let ChildFeed::Nested(property) = &child.feed else { continue };
            match rows_of(page, property, true, stamp) {
                Ok(rows) => {
                    let sweeps = rows.sweeps(1, &self.account_id, stamp.version());
                    self.tell(&child.stream, rows.page, None)?;
                    sweeps.iter().try_for_each(|sweep| self.sweep(&child.stream, sweep))?;
                }
                Err(problem) => tracing::warn!(stream = %child.stream, "rows are left out: {}", problem.0),
            }
        }
        Ok(())
    }

    /// Reads and tells the rows that are listed under an object.
    async fn tell_listed(&self, table: &Table, id: &str, version: i64) -> Result<(), Stopped> {
        for child in &table.children {
            let ChildFeed::Listed(under) = &child.feed else { continue };
            self.read_under(&child.stream, under, id, version).await?;
        }
        Ok(())
    }

    /// Reads the rows under one parent and tells them, and which are all of them.
    async fn read_under(
        &self,
        stream: &Arc<str>,
        under: &Arc<Under>,
        parent: &str,
        second: i64,
    ) -> Result<(), Stopped> {
        let (arrived, mut arrives) = mpsc::unbounded_channel();
        let reading = Reading {
            client: Arc::clone(&self.client),
            room: Arc::clone(&self.room),
            account_id: Arc::clone(&self.account_id),
            lane: 0,
            at_least: Some(second),
            sweeps: true,
            arrived,
        };
        let read = async move { reading.read(under, vec![parent.to_owned()]).await };
        let tell = async {
            while let Some(Arrived { page, sweep, reserved, .. }) = arrives.recv().await {
                self.tell(stream, page, Some(reserved))?;
                if let Some(sweep) = sweep {
                    self.sweep(stream, &sweep)?;
                }
            }
            Ok(())
        };
        let (read, told): (_, Result<(), Gone>) = futures::join!(read, tell);
        told?;
        Ok(read?)
    }

    /// Tells the records of a page.
    pub(crate) fn tell(&self, stream: &Arc<str>, page: Page, reserved: Option<Reserved>) -> Result<(), Gone> {
        let keep = page.count();
        let reserved = reserved.unwrap_or_else(|| self.room.reserve(page.bytes()));
        let delivered = Delivered {
            stream: Arc::clone(stream),
            page,
            keep,
            emitted_at: Timestamp::now(),
            _reserved: reserved.waits(),
        };
        self.sender.send(Delivery::Page(delivered)).map_err(|_| Gone)
    }

    fn sweep(&self, stream: &Arc<str>, sweep: &Sweep) -> Result<(), Gone> {
        self.say(sweep_message(stream, sweep))
    }

    pub(crate) fn say_all(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), Gone> {
        messages.into_iter().try_for_each(|message| self.say(message))
    }

    pub(crate) fn say(&self, message: Message) -> Result<(), Gone> {
        self.sender.send(Delivery::Message(message)).map_err(|_| Gone)
    }
}
