//! The log of one request: entries know whose they are, and wait here to be told to the client.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Waker};

use protocol::{Log, LogLevel, Message, Payload, counted};
use serde_json::{Map, Value};
use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use crate::Entry;

/// Target of entries that stay on the server although they are made within a request: what a client has heard
/// already, or what is nobody's business but the operator's.
pub const SERVER_ONLY: &str = "server";

/// Target of the spans that tie entries to requests.
pub(crate) const REQUEST: &str = "request";

/// How many entries wait for a client that does not read.
const MOST_WAITING: usize = 1000;

/// A request, as the log knows it. Entries made within [`RequestLog::span`] carry its ids and wait for
/// [`RequestLog::take`], the oldest ones giving way when too many wait.
#[derive(Debug)]
pub struct RequestLog {
    request_id: String,
    action_id: Option<String>,
    run_id: OnceLock<String>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Message>,
    left_out: u64,
    reader: Option<Waker>,
}

impl RequestLog {
    /// The log of the request with this id, and with the id that the client gave to what it does.
    pub fn new(request_id: String, action_id: Option<String>) -> Arc<RequestLog> {
        Arc::new(RequestLog { request_id, action_id, run_id: OnceLock::new(), waiting: Mutex::default() })
    }

    /// The id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Names the run that the request belongs to; the first name stays.
    pub fn set_run_id(&self, run_id: &str) {
        self.run_id.get_or_init(|| run_id.to_owned());
    }

    /// A span whose entries are this request's. Work that is spawned takes part only if it is spawned within the
    /// span.
    pub fn span(self: &Arc<Self>) -> Span {
        let span = tracing::error_span!(target: REQUEST, parent: None, "request");
        span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>();
            if let Some(span) = registry.and_then(|registry| registry.span(id)) {
                span.extensions_mut().replace(Arc::clone(self));
            }
        });
        span
    }

    /// The entries that were made since the last time, oldest first.
    pub fn take(&self) -> Vec<Message> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        if waiting.left_out > 0 {
            let verb = if waiting.left_out == 1 { "was" } else { "were" };
            let text = format!("{} of the log {verb} left out here", counted(waiting.left_out, "entry"));
            let log = Log { level: LogLevel::Warn, message: text, data: Some(self.ids()) };
            taken.push(Payload::Log(log).into());
            waiting.left_out = 0;
        }
        taken.extend(waiting.entries.drain(..));
        taken
    }

    /// Wakes this task when an entry is made.
    pub fn wake_on_entry(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut waiting.reader {
            Some(reader) => reader.clone_from(context.waker()),
            reader => *reader = Some(context.waker().clone()),
        }
    }

    /// Gives the entry this request's ids, and keeps it for the client if it is for the client.
    pub(crate) fn adopt(&self, entry: &mut Entry) {
        let own = std::mem::take(&mut entry.fields);
        entry.fields = self.ids();
        entry.fields.extend(own);
        if entry.target == SERVER_ONLY {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.entries.len() == MOST_WAITING {
            waiting.entries.pop_front();
            waiting.left_out += 1;
        }
        waiting.entries.push_back(entry.to_message());
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn ids(&self) -> Map<String, Value> {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::String(text.to_owned()));
        Map::from_iter([
            ("sync_engine_request_id".to_owned(), text(Some(&self.request_id))),
            ("action_id".to_owned(), text(self.action_id.as_deref())),
            ("run_id".to_owned(), text(self.run_id.get().map(String::as_str))),
        ])
    }
}
