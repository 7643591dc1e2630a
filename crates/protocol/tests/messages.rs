//! Every message as it stands on the wire: golden lines, leniency, refusals, round trips.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use protocol::{
    ConnectionStatus, Control, Eof, EofPayload, Log, LogLevel, Message, Payload, ProgressPayload, Range,
    RawJson, Record, RunStatus, SourceState, SourceStateMessage, StreamProgress, StreamRunStatus,
    StreamStatus, StreamStatusMessage, SyncState, Timestamp, encode_line,
};
use serde_json::{Map, Value, json};

/// One line per message type and variant, as other implementations write them.
const GOLDEN: &str = include_str!("golden/messages.ndjson");

fn line(message: &Message) -> String {
    let mut out = Vec::new();
    encode_line(message, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn golden_lines_are_read_and_written_unchanged() {
    let mut types = std::collections::BTreeSet::new();
    for (number, golden) in GOLDEN.lines().enumerate() {
        let message: Message =
            serde_json::from_str(golden).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
        types.insert(message.payload.type_name());
        assert_eq!(line(&message), format!("{golden}\n"), "line {}", number + 1);
    }
    assert_eq!(types.len(), 11, "a message type has no golden line: {types:?}");
}

#[test]
fn golden_lines_fit_the_json_schema_names() {
    let schema = protocol::message_schema();
    let envelopes = schema["oneOf"].as_array().unwrap();
    let names: Vec<&str> =
        envelopes.iter().map(|envelope| envelope["properties"]["type"]["const"].as_str().unwrap()).collect();
    for golden in GOLDEN.lines() {
        let message: Message = serde_json::from_str(golden).unwrap();
        assert!(names.contains(&message.payload.type_name()));
    }
    insta::assert_json_snapshot!("message_schema", schema);
}

#[test]
fn unknown_keys_are_dropped_and_order_does_not_matter() {
    let sent = r#"{"log":{"message":"m","level":"info","extra":1},"more":{"a":[1]},"record":"not read","type":"log"}"#;
    let message: Message = serde_json::from_str(sent).unwrap();
    let log = Log { level: LogLevel::Info, message: "m".to_owned(), data: None };
    assert_eq!(message, Payload::Log(log).into());
    assert_eq!(line(&message), "{\"type\":\"log\",\"log\":{\"level\":\"info\",\"message\":\"m\"}}\n");
}

#[test]
fn the_payload_of_the_type_counts_wherever_it_stands() {
    let late = r#"{"type":"connection_status","log":{},"connection_status":{"status":"failed"}}"#;
    let early = r#"{"connection_status":{"status":"failed"},"type":"connection_status"}"#;
    let expected =
        Message::connection_status(ConnectionStatus { message: None, ..ConnectionStatus::failed("") });
    assert_eq!(serde_json::from_str::<Message>(late).unwrap(), expected);
    assert_eq!(serde_json::from_str::<Message>(early).unwrap(), expected);
}

#[test]
fn refusals_name_what_is_wrong() {
    for (sent, expected) in [
        (r#"{"type":"rekord"}"#, "unknown variant `rekord`"),
        (r#"{"log":{"level":"info","message":"m"}}"#, "missing field `type`"),
        (r#"{"type":"log"}"#, "needs `log`"),
        (r#"{"type":"log","log":{"level":"loud","message":"m"}}"#, "unknown variant `loud`"),
        (
            r#"{"type":"record","record":{"stream":"a","data":[],"emitted_at":"2026-01-01T00:00:00Z"}}"#,
            "must be an object",
        ),
        (
            r#"{"type":"record","record":{"stream":"a","data":{},"emitted_at":"2026-01-01T00:00:00+01:00"}}"#,
            "ends in Z",
        ),
        (r#"{"type":"control","control":{"control_type":"other"}}"#, "unknown variant `other`"),
        (r#"{"type":"connection_status","connection_status":{"status":"maybe"}}"#, "unknown variant `maybe`"),
        (
            r#"{"type":"stream_status","stream_status":{"stream":"a","status":"error"}}"#,
            "missing field `error`",
        ),
        (
            r#"{"type":"stream_status","stream_status":{"stream":"a","status":"range_complete"}}"#,
            "missing field `range_complete`",
        ),
        (r#"{"type":"spec","spec":{"config":{},"soft_limit_fraction":1.5}}"#, "at most 1"),
        (r#"[]"#, "a message object"),
    ] {
        let error = serde_json::from_str::<Message>(sent).unwrap_err().to_string();
        assert!(error.contains(expected), "{sent}\n  gave: {error}\n  expected: {expected}");
    }
}

#[test]
fn an_eof_without_status_ends_a_read() {
    let eof: Message = serde_json::from_str(r#"{"type":"eof","eof":{"has_more":true}}"#).unwrap();
    assert_eq!(eof.payload, Payload::Eof(Eof::Read { has_more: true }));
}

#[test]
fn a_state_applies_to_its_stream_or_to_the_whole_source() {
    let mut state = SourceState::default();
    let data = |text: &'static str| RawJson::parse(text).unwrap();
    state.apply(&SourceStateMessage::Stream { stream: "a".into(), data: data("{\"n\":1}") });
    state.apply(&SourceStateMessage::Stream { stream: "a".into(), data: data("{\"n\":2}") });
    state.apply(&SourceStateMessage::Global { data: data("{\"g\":1}") });
    assert_eq!(
        serde_json::to_value(&state).unwrap(),
        json!({"streams": {"a": {"n": 2}}, "global": {"g": 1}})
    );
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000).prop_map(Timestamp::from_unix_seconds)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), json_value(), 0..5).prop_map(|map| map.into_iter().collect())
}

fn raw_object() -> impl Strategy<Value = RawJson> {
    // Pretty-printed half of the time, as Stripe sends it.
    (object(), any::<bool>()).prop_map(|(object, pretty)| {
        let text =
            if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
        RawJson::parse(text.unwrap()).unwrap()
    })
}

fn name() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Arc::from)
}

fn status() -> impl Strategy<Value = StreamStatus> {
    prop_oneof![
        Just(StreamStatus::Start { time_range: None, reason: Some("why".to_owned()) }),
        (timestamp(), timestamp())
            .prop_map(|(gte, lt)| StreamStatus::RangeComplete { range_complete: Range { gte, lt } }),
        Just(StreamStatus::Complete),
        any::<String>().prop_map(|error| StreamStatus::Error { error }),
        any::<String>().prop_map(|reason| StreamStatus::Skip { reason }),
    ]
}

fn progress() -> impl Strategy<Value = ProgressPayload> {
    (timestamp(), any::<u32>(), prop::collection::btree_map(any::<String>(), any::<u32>(), 0..3)).prop_map(
        |(started_at, elapsed, counts)| {
            let mut progress = ProgressPayload::fresh(started_at, std::iter::empty());
            progress.elapsed_ms = elapsed.into();
            progress.streams = counts
                .into_iter()
                .map(|(name, count)| {
                    let stream = StreamProgress {
                        status: StreamRunStatus::Completed,
                        record_count: count.into(),
                        ..StreamProgress::default()
                    };
                    (name, stream)
                })
                .collect::<BTreeMap<_, _>>();
            progress
        },
    )
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        (name(), raw_object(), any::<bool>(), timestamp()).prop_map(|(stream, data, deleted, emitted_at)| {
            Payload::Record(Record { stream, data, deleted, emitted_at })
        }),
        (name(), raw_object())
            .prop_map(|(stream, data)| Payload::SourceState(SourceStateMessage::Stream { stream, data })),
        raw_object().prop_map(|data| Payload::SourceState(SourceStateMessage::Global { data })),
        (any::<String>(), prop::option::of(object())).prop_map(|(message, data)| Payload::Log(Log {
            level: LogLevel::Warn,
            message,
            data
        })),
        prop::option::of(any::<String>()).prop_map(|message| {
            Payload::ConnectionStatus(ConnectionStatus { message, ..ConnectionStatus::succeeded() })
        }),
        (name(), status())
            .prop_map(|(stream, status)| Payload::StreamStatus(StreamStatusMessage { stream, status })),
        object().prop_map(|source_config| Payload::Control(Control::SourceConfig { source_config })),
        progress().prop_map(|progress| Payload::Progress(Box::new(progress))),
        (progress(), any::<bool>()).prop_map(|(progress, has_more)| {
            Payload::Eof(Eof::Sync(Box::new(EofPayload {
                status: RunStatus::Failed,
                has_more,
                ending_state: Some(SyncState::empty()),
                run_progress: progress.clone(),
                request_progress: progress,
            })))
        }),
        raw_object().prop_map(Payload::SourceInput),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    (payload(), prop::option::of(name()), prop::option::of(timestamp()))
        .prop_map(|(payload, emitted_by, ts)| Message { payload, emitted_by, ts })
}

proptest! {
    #[test]
    fn any_message_survives_a_round_trip_on_one_line(message in message()) {
        let written = line(&message);
        prop_assert_eq!(written.matches('\n').count(), 1);
        let read: Message = serde_json::from_str(&written).unwrap();
        // Raw payloads may lose line breaks between tokens, nothing else: compare by meaning.
        prop_assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&message).unwrap());
        prop_assert_eq!(line(&read), written);
    }

    /// A number is the one that its text says; read a little beside it, it would change with every hand-over.
    #[test]
    fn a_number_is_what_its_text_says(digits in any::<u64>(), exponent in -300..280i32) {
        let text = format!("{digits}.5e{exponent}");
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.as_f64(), Some(text.parse().unwrap()));
    }
}
