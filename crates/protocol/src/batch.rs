//! Gathering a destination's messages into batches: what to flush, and what may be handed back when.
//!
//! Decides only; [`crate::write_batches`] does the waiting and the writing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{ConnectorError, Message, Payload, RawJson, Record, SourceStateMessage};

/// When a batch is flushed, and how much is held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most records in a batch.
    pub rows: usize,
    /// Payload bytes after which a batch is full.
    pub bytes: usize,
    /// How long a record waits for company, once a state has followed it. Before that it waits ten times as long:
    /// what is durable without a state is read again after an interruption.
    pub age: Duration,
    /// How many batches, of different streams, are written at once.
    pub writers: usize,
    /// Payload bytes held over all streams, those being written included, above which no input is
    /// taken. When half of it waits, the fullest batch that a state has followed is written.
    pub total_bytes: usize,
}

impl Default for BatchLimits {
    /// 1,000 rows, 1 MiB, one second, one writer, 2 MiB in all.
    fn default() -> BatchLimits {
        BatchLimits {
            rows: 1000,
            bytes: 1 << 20,
            age: Duration::from_secs(1),
            writers: 1,
            total_bytes: 2 << 20,
        }
    }
}

/// How many times longer than others a record waits that no state has followed. A state comes right behind the
/// page that it accounts for, so this is for sources that tell few.
const PATIENCE: u32 = 10;

/// Consecutive messages of one stream that become durable together.
#[derive(Debug)]
pub struct Batch {
    stream: Arc<str>,
    messages: Vec<Message>,
    first: u64,
    bytes: usize,
    ahead: bool,
}

impl Batch {
    /// The stream.
    pub fn stream(&self) -> &Arc<str> {
        &self.stream
    }

    /// Its records, oldest first. A key may occur several times; the last occurrence counts. There may be
    /// sweeps among them: [`crate::segments`] tells them apart.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.messages.iter().filter_map(|message| match &message.payload {
            Payload::Record(record) => Some(record),
            _ => None,
        })
    }

    /// The newest state among the messages. It holds once all the records are durable.
    pub fn state(&self) -> Option<&RawJson> {
        self.messages.iter().rev().find_map(|message| match &message.payload {
            Payload::SourceState(SourceStateMessage::Stream { data, .. }) => Some(data),
            _ => None,
        })
    }

    /// Payload bytes of the records.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an earlier batch of the stream was in flight when this one was cut.
    pub(crate) fn is_ahead(&self) -> bool {
        self.ahead
    }

    pub(crate) fn needs_commit(&self) -> bool {
        self.messages
            .iter()
            .any(|message| matches!(message.payload, Payload::Record(_) | Payload::SourceState(_)))
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// Makes batches durable. Commits one batch of a stream at a time, for several streams at once.
pub trait BatchWriter: Send + Sync + 'static {
    /// What is worked out of a batch beforehand.
    type Prepared: Send;

    /// Works out what to write, while the batch before may still be in flight: it must not look at what is stored.
    fn prepare(&self, batch: &Batch) -> Result<Self::Prepared, ConnectorError>;

    /// Makes the records of the batch, and its state where states are kept, durable at once.
    /// An error is final for the stream: what can be retried is retried in here.
    fn commit(
        &self,
        batch: Arc<Batch>,
        prepared: Self::Prepared,
    ) -> impl Future<Output = Result<(), ConnectorError>> + Send;

    /// Keeps a global state, where states are kept. All records before it are durable.
    fn commit_global(&self, state: RawJson) -> impl Future<Output = Result<(), ConnectorError>> + Send;
}

/// What waits to be written, by stream.
pub(crate) struct Batches {
    limits: BatchLimits,
    queues: HashMap<Arc<str>, Queue>,
    /// Global states with the sequence number they came at.
    globals: VecDeque<(u64, Message)>,
    /// Payload bytes waiting and in flight.
    held: usize,
    /// Payload bytes in flight alone.
    writing: usize,
    streams_in_flight: usize,
    sequence: u64,
    /// After a stream failed, no global state is true any more.
    any_failed: bool,
}

#[derive(Default)]
struct Queue {
    /// With the sequence number and the payload bytes of each.
    messages: VecDeque<(u64, usize, Message)>,
    rows: usize,
    bytes: usize,
    /// How many of the messages are states.
    states: usize,
    since: Option<Instant>,
    /// Nothing more will come, so waiting is pointless.
    urgent: bool,
    /// Sequence number of the first message of the batch that is being written, and of the one behind it that is
    /// being prepared.
    in_flight: VecDeque<u64>,
    failed: bool,
}

impl Queue {
    /// How many messages the next batch takes: as many as fit, but rather up to a state than beyond it. Rows
    /// that are durable without the state after them are read again when the sync is interrupted.
    fn cut(&self, limits: &BatchLimits, ending: bool) -> usize {
        let (mut rows, mut bytes, mut after_state) = (0, 0, None);
        let mut messages = self.messages.iter().enumerate().peekable();
        while let Some((index, (_, length, message))) = messages.next() {
            let is_record = |message: &Message| matches!(message.payload, Payload::Record(_));
            rows += usize::from(is_record(message));
            bytes += length;
            let follows_state = after_state == Some(index) && !is_record(message);
            if follows_state || matches!(message.payload, Payload::SourceState(_)) {
                after_state = Some(index + 1);
            }
            let full = rows >= limits.rows || bytes >= limits.bytes;
            // What follows the last record belongs to it.
            if full && messages.peek().is_some_and(|(_, (_, _, next))| is_record(next)) {
                return after_state.unwrap_or(index + 1);
            }
        }
        let whole = self.messages.len();
        if ending || self.urgent { whole } else { after_state.unwrap_or(whole) }
    }

    /// Whether a batch can be cut such that nothing in it has to be read again after an interruption.
    fn is_accounted_for(&self) -> bool {
        self.states > 0 || self.rows == 0
    }

    /// When it has waited long enough.
    fn deadline(&self, limits: &BatchLimits) -> Option<Instant> {
        let age = if self.is_accounted_for() { limits.age } else { limits.age * PATIENCE };
        self.since.map(|since| since + age)
    }

    fn oldest(&self) -> Option<u64> {
        self.in_flight.front().copied().or_else(|| self.messages.front().map(|(sequence, _, _)| *sequence))
    }

    /// Whether a batch of it could be cut: to be written, or to be prepared behind the one that is.
    fn waits(&self, free: bool) -> bool {
        let room = match self.in_flight.len() {
            0 => free,
            1 => self.rows > 0,
            _ => false,
        };
        room && !self.messages.is_empty()
    }
}

impl Batches {
    pub(crate) fn new(limits: BatchLimits) -> Batches {
        Batches {
            limits,
            queues: HashMap::new(),
            globals: VecDeque::new(),
            held: 0,
            writing: 0,
            streams_in_flight: 0,
            sequence: 0,
            any_failed: false,
        }
    }

    /// Takes a message in. Answers it where nothing has to become durable before it is handed on.
    pub(crate) fn push(&mut self, message: Message, now: Instant) -> Option<Message> {
        self.sequence += 1;
        let sequence = self.sequence;
        let Some(stream) = message.payload.stream() else {
            if let Payload::SourceState(_) = message.payload {
                if !self.any_failed {
                    self.globals.push_back((sequence, message));
                }
                return None;
            }
            return Some(message);
        };
        let queue = self.queues.entry(Arc::clone(stream)).or_default();
        if queue.failed {
            return None;
        }
        let (rows, bytes) = match &message.payload {
            Payload::Record(record) => (1, record.data.len()),
            Payload::SourceState(_) => {
                queue.states += 1;
                (0, 0)
            }
            Payload::StreamStatus(status) => {
                if queue.oldest().is_none() {
                    return Some(message);
                }
                queue.urgent |= status.status.is_terminal();
                (0, 0)
            }
            _ => (0, 0),
        };
        queue.rows += rows;
        queue.bytes += bytes;
        queue.since.get_or_insert(now);
        queue.messages.push_back((sequence, bytes, message));
        self.held += bytes;
        None
    }

    /// A batch that is due; the fullest first. `ending` says that no more input comes. Where the batch before is still
    /// in flight ([`Batch::is_ahead`]) it can only be prepared, which is worth it for a full one.
    pub(crate) fn next_batch(&mut self, now: Instant, ending: bool) -> Option<Batch> {
        let limits = self.limits;
        let barrier = self.globals.front().map(|(sequence, _)| *sequence);
        let free = self.has_free_writer();
        let waiting = |queue: &Queue| queue.waits(free);
        // Many small queues together are too much as well. What is being written frees itself, so
        // only what waits counts here.
        let over = self.held - self.writing >= limits.total_bytes / 2;
        // Without input no state comes: then it has to be a queue that none has followed.
        let stuck = self.is_full() && self.writing == 0;
        let can_go = |queue: &&Queue| waiting(queue) && queue.is_accounted_for();
        let accounted = self.queues.values().filter(can_go).map(|queue| queue.bytes).max();
        let any = || self.queues.values().filter(|queue| waiting(queue)).map(|queue| queue.bytes).max();
        let largest = accounted.or_else(|| if stuck { any() } else { None });
        let due = |queue: &Queue| {
            ending
                || queue.urgent
                || queue.rows >= limits.rows
                || queue.bytes >= limits.bytes
                || (over && Some(queue.bytes) == largest && (accounted.is_none() || queue.is_accounted_for()))
                || (queue.in_flight.is_empty()
                    && (queue.deadline(&limits).is_some_and(|deadline| now >= deadline)
                        || barrier
                            .is_some_and(|barrier| queue.oldest().is_some_and(|oldest| oldest < barrier))))
        };
        let (stream, queue) = self
            .queues
            .iter_mut()
            .filter(|(_, queue)| waiting(queue) && due(queue))
            .max_by(|(a_name, a), (b_name, b)| a.bytes.cmp(&b.bytes).then_with(|| b_name.cmp(a_name)))?;
        let (first, _, _) = queue.messages.front()?;
        let (first, ahead) = (*first, !queue.in_flight.is_empty());
        let mut batch = Batch { stream: Arc::clone(stream), messages: Vec::new(), first, bytes: 0, ahead };
        let mut rows = 0;
        for (_, bytes, message) in queue.messages.drain(..queue.cut(&limits, ending)) {
            rows += usize::from(matches!(message.payload, Payload::Record(_)));
            queue.states -= usize::from(matches!(message.payload, Payload::SourceState(_)));
            batch.bytes += bytes;
            batch.messages.push(message);
        }
        queue.rows -= rows;
        queue.bytes -= batch.bytes;
        queue.in_flight.push_back(first);
        self.streams_in_flight += usize::from(!ahead);
        queue.since = (!queue.messages.is_empty()).then_some(now);
        queue.urgent &= !queue.messages.is_empty();
        self.writing += batch.bytes;
        Some(batch)
    }

    /// The batch was written, or not: then the stream has failed and what waits of it is dropped. Answers whether
    /// the batch behind it may be written now.
    pub(crate) fn finished(&mut self, batch: &Batch, succeeded: bool) -> bool {
        self.held -= batch.bytes;
        self.writing -= batch.bytes;
        let queue = self.queues.entry(Arc::clone(&batch.stream)).or_default();
        let first = queue.in_flight.pop_front();
        debug_assert_eq!(first, Some(batch.first));
        let one_behind = !queue.in_flight.is_empty();
        self.streams_in_flight -= usize::from(!one_behind);
        if !succeeded {
            self.held -= queue.bytes;
            *queue =
                Queue { failed: true, in_flight: std::mem::take(&mut queue.in_flight), ..Queue::default() };
            self.any_failed = true;
            self.globals.clear();
        }
        one_behind && succeeded
    }

    /// Whether one more stream may be written.
    pub(crate) fn has_free_writer(&self) -> bool {
        self.streams_in_flight < self.limits.writers.max(1)
    }

    /// A global state before which everything is durable.
    pub(crate) fn next_global(&mut self) -> Option<Message> {
        let (sequence, _) = self.globals.front()?;
        let covered = self.queues.values().filter_map(Queue::oldest).all(|oldest| oldest > *sequence);
        if covered { self.globals.pop_front().map(|(_, message)| message) } else { None }
    }

    /// Whether input should wait.
    pub(crate) fn is_full(&self) -> bool {
        self.held >= self.limits.total_bytes
    }

    /// Whether nothing waits and nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.globals.is_empty() && self.queues.values().all(|queue| queue.oldest().is_none())
    }

    /// When the next batch is due by its age.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| queue.in_flight.is_empty());
        waiting.filter_map(|queue| queue.deadline(&self.limits)).min()
    }
}
