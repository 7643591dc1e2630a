//! Messages for a destination, as a source that is easy to check would send them.

use std::sync::Arc;

use protocol::{
    ConfiguredCatalog, ConfiguredStream, LogLevel, Message, Payload, RawJson, Record, SourceStateMessage,
    Stream, StreamStatus, Timestamp,
};
use serde_json::{Value, json};

use crate::Breach;

/// The primary key of a payload, as text.
pub fn key_of(stream: &Stream, payload: &str) -> Result<Vec<String>, Breach> {
    let data = raw(payload);
    let field = |name: &str| -> Result<String, Breach> {
        let value = data.members([name]).ok().and_then(|[value]| value);
        let text = value.and_then(|value| serde_json::from_str(value.get()).ok());
        text.ok_or_else(|| Breach::new("texts in the key", format!("`{name}` of {payload:.200} is none")))
    };
    stream.key_fields().into_iter().map(field).collect()
}

/// The streams of a sync.
pub fn catalog(streams: &[Stream]) -> ConfiguredCatalog {
    ConfiguredCatalog { streams: streams.iter().cloned().map(ConfiguredStream::whole).collect() }
}

/// A stream like Stripe's: key `id` and `_account_id`, version `_updated_at`.
pub fn stream(name: &str) -> Stream {
    Stream {
        name: name.into(),
        primary_key: vec![vec!["id".to_owned()], vec!["_account_id".to_owned()]],
        newer_than_field: "_updated_at".to_owned(),
        json_schema: json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "note": {"oneOf": [{"type": "string"}, {"type": "null"}]},
                "_account_id": {"type": "string"},
                "_updated_at": {"type": "integer"},
            },
        })
        .as_object()
        .cloned(),
        metadata: None,
        soft_delete_field: None,
    }
}

/// The same for children, whose rows have a `_parent_id`.
pub fn child_stream(name: &str) -> Stream {
    let mut stream = stream(name);
    if let Some(Value::Object(properties)) =
        stream.json_schema.as_mut().and_then(|schema| schema.get_mut("properties"))
    {
        properties.insert("_parent_id".to_owned(), json!({"type": "string"}));
    }
    stream
}

/// A payload of such a child.
pub fn child(id: &str, version: i64, note: &str, parent: &str) -> String {
    let payload = payload(id, version, note);
    format!(r#"{{"_parent_id":{},{}"#, Value::from(parent), &payload[1..])
}

/// A payload of such a stream.
pub fn payload(id: &str, version: i64, note: &str) -> String {
    let (id, note) = (Value::from(id), Value::from(note));
    format!(r#"{{"id":{id},"note":{note},"_account_id":"acct_1","_updated_at":{version}}}"#)
}

/// A record with this payload.
pub fn upsert(stream: &Stream, payload: &str) -> Message {
    record(stream, payload, false)
}

/// The deletion of what has the payload's key.
pub fn delete(stream: &Stream, payload: &str) -> Message {
    record(stream, payload, true)
}

fn record(stream: &Stream, payload: &str, deleted: bool) -> Message {
    let data = raw(payload);
    let stream = Arc::clone(&stream.name);
    Payload::Record(Record { stream, data, deleted, emitted_at: Timestamp::UNIX_EPOCH }).into()
}

/// A state of the stream.
pub fn state(stream: &Stream, data: &str) -> Message {
    Message::stream_state(&stream.name, raw(data))
}

/// A global state.
pub fn global_state(data: &str) -> Message {
    Payload::SourceState(SourceStateMessage::Global { data: raw(data) }).into()
}

/// A text of the suite's own as JSON.
///
/// # Panics
/// If it is not JSON.
pub fn raw(text: &str) -> RawJson {
    RawJson::parse(text.to_owned()).expect("the suite's own JSON")
}

/// The streams that failed, with their errors.
pub fn errors(messages: &[Message]) -> impl Iterator<Item = (&str, &str)> {
    messages.iter().filter_map(|message| match &message.payload {
        Payload::StreamStatus(status) => match &status.status {
            StreamStatus::Error { error } => Some((&*status.stream, error.as_str())),
            _ => None,
        },
        _ => None,
    })
}

/// Records of the streams in turn, with states after some, statuses and log lines between.
pub fn interleaved(streams: &[Stream]) -> Vec<Message> {
    let mut messages = Vec::new();
    for stream in streams {
        messages.push(Message::stream_status(
            &stream.name,
            StreamStatus::Start { time_range: None, reason: None },
        ));
    }
    for at in 0..60 {
        let stream = &streams[at % streams.len()];
        messages.push(upsert(stream, &payload(&format!("id_{at}"), 1, "a")));
        if at % 7 == 3 {
            messages.push(state(stream, &format!(r#"{{"at":{at}}}"#)));
        }
        if at % 11 == 5 {
            messages.push(Message::log(LogLevel::Info, format!("line {at}")));
        }
    }
    for stream in streams {
        messages.push(state(stream, r#"{"at":"end"}"#));
        messages.push(Message::stream_status(&stream.name, StreamStatus::Complete));
    }
    messages
}
