//! What every destination inherits: batching, order, hand-back, failure of one stream.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use proptest::prelude::*;
use protocol::{
    Batch, BatchLimits, BatchWriter, ConnectorError, ErrorKind, LogLevel, Message, MessageStream, Payload,
    RawJson, Record, SourceStateMessage, StreamStatus, Timestamp, write_batches,
};

/// Remembers what became durable, in order; refuses the streams it is told to refuse.
#[derive(Default)]
struct Memory {
    refuse: Option<&'static str>,
    busy: Mutex<BTreeMap<String, bool>>,
    durable: Mutex<Vec<(String, String)>>,
    batches: Mutex<Vec<(String, usize)>>,
    /// What was prepared while a batch of the same stream was in flight.
    ahead: Mutex<usize>,
}

impl BatchWriter for Memory {
    type Prepared = usize;

    fn prepare(&self, batch: &Batch) -> Result<usize, ConnectorError> {
        let busy = self.busy.lock().unwrap().get(&**batch.stream()) == Some(&true);
        *self.ahead.lock().unwrap() += usize::from(busy);
        Ok(batch.records().count())
    }

    async fn commit(&self, batch: Arc<Batch>, prepared: usize) -> Result<(), ConnectorError> {
        assert_eq!(prepared, batch.records().count(), "another batch was prepared");
        let stream = batch.stream().to_string();
        let was_busy = self.busy.lock().unwrap().insert(stream.clone(), true);
        assert_ne!(was_busy, Some(true), "two batches of {stream} are written at once");
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.busy.lock().unwrap().insert(stream.clone(), false);
        if self.refuse == Some(&*stream) {
            return Err(ConnectorError::new(ErrorKind::Permanent, "no room for `b`"));
        }
        let mut durable = self.durable.lock().unwrap();
        durable.extend(batch.records().map(|record| (stream.clone(), record.data.to_string())));
        self.batches.lock().unwrap().push((stream, batch.records().count()));
        Ok(())
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        self.durable.lock().unwrap().push(("_global".to_owned(), state.to_string()));
        Ok(())
    }
}

fn json(text: String) -> RawJson {
    RawJson::parse(text).unwrap()
}

fn record(stream: &str, n: usize) -> Message {
    let data = json(format!("{{\"n\":{n}}}"));
    Payload::Record(Record { stream: stream.into(), data, deleted: false, emitted_at: Timestamp::UNIX_EPOCH })
        .into()
}

fn state(stream: &str, n: usize) -> Message {
    Message::stream_state(&stream.into(), json(n.to_string()))
}

fn global(n: usize) -> Message {
    Payload::SourceState(SourceStateMessage::Global { data: json(n.to_string()) }).into()
}

fn complete(stream: &str) -> Message {
    Message::stream_status(&stream.into(), StreamStatus::Complete)
}

fn limits(rows: usize) -> BatchLimits {
    BatchLimits { rows, age: Duration::from_secs(3600), writers: 2, ..BatchLimits::default() }
}

/// Runs to the end; checks at each hand-back that what it promises is durable.
async fn run(memory: &Arc<Memory>, limits: BatchLimits, input: Vec<Message>) -> Vec<Message> {
    let input: MessageStream = futures::stream::iter(input.into_iter().map(Ok)).boxed();
    let mut output = write_batches(Arc::clone(memory), limits, input);
    let mut seen = Vec::new();
    while let Some(message) = output.next().await {
        let message = message.unwrap();
        if let Payload::Record(record) = &message.payload {
            let durable = memory.durable.lock().unwrap();
            let row = (record.stream.to_string(), record.data.to_string());
            assert!(durable.contains(&row), "{row:?} was handed back before it was durable");
        }
        seen.push(message);
    }
    seen
}

fn of_stream(messages: &[Message], stream: &str) -> Vec<Message> {
    messages.iter().filter(|m| m.payload.stream().is_some_and(|s| &**s == stream)).cloned().collect()
}

#[tokio::test]
async fn a_full_batch_is_flushed_and_the_rest_at_the_end() {
    let memory = Arc::new(Memory::default());
    let input: Vec<Message> = (0..7).map(|n| record("a", n)).collect();
    assert_eq!(run(&memory, limits(3), input.clone()).await, input);
    assert_eq!(*memory.batches.lock().unwrap(), [("a".into(), 3), ("a".into(), 3), ("a".into(), 1)]);
}

#[tokio::test]
async fn bytes_and_the_total_flush_too() {
    let memory = Arc::new(Memory::default());
    let small = BatchLimits { bytes: 14, ..limits(100) };
    run(&memory, small, (0..4).map(|n| record("a", n)).collect()).await;
    assert_eq!(*memory.batches.lock().unwrap(), [("a".into(), 2), ("a".into(), 2)]);

    let memory = Arc::new(Memory::default());
    // No state has followed, but without input none will.
    let tight = BatchLimits { total_bytes: 21, ..limits(100) };
    let input = [record("a", 1), record("b", 2), record("a", 3)].map(Ok);
    let endless = futures::stream::iter(input).chain(futures::stream::pending()).boxed();
    let mut output = write_batches(Arc::clone(&memory), tight, endless);
    assert_eq!(output.next().await.unwrap().unwrap(), record("a", 1));
    assert_eq!(*memory.batches.lock().unwrap(), [("a".into(), 2)]);
}

#[tokio::test]
async fn a_batch_ends_with_a_state_where_it_can() {
    let memory = Arc::new(Memory::default());
    let input = vec![
        record("a", 1),
        record("a", 2),
        state("a", 2),
        record("a", 3),
        record("a", 4),
        state("a", 4),
        record("a", 5),
    ];
    assert_eq!(run(&memory, limits(3), input.clone()).await, input);
    let batches: Vec<usize> = memory.batches.lock().unwrap().iter().map(|(_, rows)| *rows).collect();
    assert_eq!(batches, [2, 2, 1]);
}

/// Rows that are durable without a state are read again after an interruption.
#[tokio::test]
async fn rows_wait_for_the_state_behind_them() {
    // Five rows of seven bytes are more than half of the total.
    let memory = Arc::new(Memory::default());
    let half = BatchLimits { total_bytes: 60, writers: 1, ..limits(100) };
    let input = [
        record("a", 1),
        record("a", 2),
        record("a", 3),
        record("b", 4),
        state("b", 4),
        record("a", 5),
        state("a", 5),
        record("a", 6),
    ];
    let endless = futures::stream::iter(input.map(Ok)).chain(futures::stream::pending()).boxed();
    let mut output = write_batches(Arc::clone(&memory), half, endless);
    for expected in [record("b", 4), state("b", 4), record("a", 1)] {
        assert_eq!(output.next().await.unwrap().unwrap(), expected);
    }
    assert_eq!(*memory.batches.lock().unwrap(), [("b".into(), 1), ("a".into(), 4)]);
}

#[tokio::test]
async fn age_flushes_a_lonely_record() {
    let memory = Arc::new(Memory::default());
    let aged = BatchLimits { age: Duration::from_millis(1), ..limits(100) };
    let endless =
        futures::stream::once(async { Ok(record("a", 1)) }).chain(futures::stream::pending()).boxed();
    let mut output = write_batches(Arc::clone(&memory), aged, endless);
    assert_eq!(output.next().await.unwrap().unwrap(), record("a", 1));
}

#[tokio::test]
async fn a_terminal_status_does_not_wait_for_company() {
    let memory = Arc::new(Memory::default());
    let input =
        futures::stream::iter([Ok(record("a", 1)), Ok(complete("a"))]).chain(futures::stream::pending());
    let mut output = write_batches(Arc::clone(&memory), limits(100), input.boxed());
    assert_eq!(output.next().await.unwrap().unwrap(), record("a", 1));
    assert_eq!(output.next().await.unwrap().unwrap(), complete("a"));
}

#[tokio::test]
async fn a_failed_stream_says_why_and_the_others_go_on() {
    let memory = Arc::new(Memory { refuse: Some("b"), ..Memory::default() });
    let input = vec![
        record("a", 1),
        record("b", 2),
        state("b", 2),
        record("a", 3),
        state("a", 3),
        global(9),
        complete("b"),
        complete("a"),
    ];
    let output = run(&memory, limits(1), input).await;
    let error = StreamStatus::Error { error: "no room for `b`".to_owned() };
    assert_eq!(of_stream(&output, "b"), [Message::stream_status(&"b".into(), error)]);
    assert_eq!(of_stream(&output, "a"), [record("a", 1), record("a", 3), state("a", 3), complete("a")]);
    assert!(!output.contains(&global(9)), "a global state covers the rows that were lost");
}

#[tokio::test]
async fn a_full_batch_is_prepared_while_the_one_before_is_written() {
    let memory = Arc::new(Memory::default());
    let input: Vec<Message> = (0..12).map(|n| record("a", n)).collect();
    let one = BatchLimits { writers: 1, ..limits(3) };
    assert_eq!(run(&memory, one, input.clone()).await, input);
    assert_eq!(*memory.ahead.lock().unwrap(), 3);
    assert_eq!(memory.durable.lock().unwrap().len(), 12);
}

#[tokio::test]
async fn what_is_prepared_behind_a_failure_is_not_written() {
    let memory = Arc::new(Memory { refuse: Some("b"), ..Memory::default() });
    let mut input: Vec<Message> = (0..12).map(|n| record("b", n)).collect();
    input.extend([record("a", 1), complete("b")]);
    let output = run(&memory, limits(3), input).await;
    assert!(*memory.ahead.lock().unwrap() > 0);
    let error = StreamStatus::Error { error: "no room for `b`".to_owned() };
    assert_eq!(of_stream(&output, "b"), [Message::stream_status(&"b".into(), error)]);
    assert_eq!(*memory.durable.lock().unwrap(), [("a".to_owned(), r#"{"n":1}"#.to_owned())]);
}

#[tokio::test]
async fn what_came_before_a_failure_of_the_input_is_written() {
    let memory = Arc::new(Memory::default());
    let input = futures::stream::iter([Ok(record("a", 1)), Err(ConnectorError::internal("cut"))]);
    let output: Vec<_> = write_batches(Arc::clone(&memory), limits(100), input.boxed()).collect().await;
    assert_eq!(output[0].as_ref().unwrap(), &record("a", 1));
    assert_eq!(output[1].as_ref().unwrap_err().to_string(), "cut");
    assert_eq!(memory.durable.lock().unwrap().len(), 1);
}

fn any_message() -> impl Strategy<Value = Message> {
    let stream = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        6 => (stream.clone(), 0usize..1000).prop_map(|(stream, n)| record(stream, n)),
        2 => (stream.clone(), 0usize..1000).prop_map(|(stream, n)| state(stream, n)),
        1 => (0usize..1000).prop_map(global),
        1 => stream.prop_map(|stream| Message::stream_status(&stream.into(), StreamStatus::Start { time_range: None, reason: None })),
        1 => Just(Message::log(LogLevel::Info, "passes")),
    ]
}

proptest! {
    #[test]
    fn order_is_kept_within_a_stream_and_before_a_global_state(
        input in prop::collection::vec(any_message(), 0..60),
        rows in 1usize..6,
        total_bytes in 1usize..100,
        writers in 1usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let memory = Arc::new(Memory::default());
        let limits = BatchLimits { total_bytes, writers, ..limits(rows) };
        let output = runtime.block_on(run(&memory, limits, input.clone()));
        prop_assert_eq!(output.len(), input.len());
        for stream in ["a", "b", "c"] {
            prop_assert_eq!(of_stream(&output, stream), of_stream(&input, stream));
        }
        // Everything that was sent before a global state is handed back before it.
        let globals = |messages: &[Message]| -> Vec<usize> {
            let is_global = |m: &Message| matches!(&m.payload, Payload::SourceState(SourceStateMessage::Global { .. }));
            messages.iter().enumerate().filter(|(_, m)| is_global(m)).map(|(at, _)| at).collect()
        };
        for (sent, back) in globals(&input).into_iter().zip(globals(&output)) {
            for stream in ["a", "b", "c"] {
                let before = of_stream(&input[..sent], stream).len();
                prop_assert!(of_stream(&output[..back], stream).len() >= before);
            }
        }
    }
}
