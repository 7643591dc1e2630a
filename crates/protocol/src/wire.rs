//! How a message is written: `{"type": T, T: payload, "_emitted_by"?: …, "_ts"?: …}`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Message, Payload, RawJson, Record, Timestamp};

const TYPES: &[&str] = &[
    "record",
    "source_state",
    "catalog",
    "log",
    "spec",
    "connection_status",
    "stream_status",
    "control",
    "progress",
    "eof",
    "source_input",
];

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.payload.type_name();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", name)?;
        match &self.payload {
            Payload::Record(payload) => map.serialize_entry(name, payload)?,
            Payload::SourceState(payload) => map.serialize_entry(name, payload)?,
            Payload::Catalog(payload) => map.serialize_entry(name, payload)?,
            Payload::Log(payload) => map.serialize_entry(name, payload)?,
            Payload::Spec(payload) => map.serialize_entry(name, payload)?,
            Payload::ConnectionStatus(payload) => map.serialize_entry(name, payload)?,
            Payload::StreamStatus(payload) => map.serialize_entry(name, payload)?,
            Payload::Control(payload) => map.serialize_entry(name, payload)?,
            Payload::Progress(payload) => map.serialize_entry(name, payload)?,
            Payload::Eof(payload) => map.serialize_entry(name, payload)?,
            Payload::SourceInput(payload) => map.serialize_entry(name, payload)?,
        }
        if let Some(emitted_by) = &self.emitted_by {
            map.serialize_entry("_emitted_by", emitted_by)?;
        }
        if let Some(ts) = &self.ts {
            map.serialize_entry("_ts", ts)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Message;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a message object with a `type`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut kind: Option<Cow<'de, str>> = None;
        let mut payload: Option<Payload> = None;
        let mut emitted_by: Option<Arc<str>> = None;
        let mut ts: Option<Timestamp> = None;
        // Payloads seen before `type`, kept as text until it is known which one counts.
        let mut early: Vec<(Cow<'de, str>, Box<RawValue>)> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match (key.0.as_ref(), &kind) {
                ("type", _) => {
                    let Key(name) = map.next_value()?;
                    if !TYPES.contains(&name.as_ref()) {
                        return Err(A::Error::unknown_variant(&name, TYPES));
                    }
                    kind = Some(name);
                }
                ("_emitted_by", _) => emitted_by = map.next_value()?,
                ("_ts", _) => ts = map.next_value()?,
                (name, Some(kind)) if name == kind.as_ref() => payload = Some(next_payload(name, &mut map)?),
                (name, None) if TYPES.contains(&name) => early.push((key.0, map.next_value()?)),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
        if payload.is_none()
            && let Some((_, text)) = early.iter().rev().find(|(name, _)| *name == kind)
        {
            payload = Some(payload_from_text(&kind, text).map_err(A::Error::custom)?);
        }
        let payload = payload
            .ok_or_else(|| A::Error::custom(format_args!("a message of type `{kind}` needs `{kind}`")))?;
        Ok(Message { payload, emitted_by, ts })
    }
}

/// A key or a short string, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// One match for both ways in: straight from the map, and from text that came before `type`.
macro_rules! payload_of {
    ($kind:expr, $read:expr) => {
        match $kind {
            "record" => Payload::Record($read),
            "source_state" => Payload::SourceState($read),
            "catalog" => Payload::Catalog($read),
            "log" => Payload::Log($read),
            "spec" => Payload::Spec($read),
            "connection_status" => Payload::ConnectionStatus($read),
            "stream_status" => Payload::StreamStatus($read),
            "control" => Payload::Control($read),
            "progress" => Payload::Progress($read),
            "eof" => Payload::Eof($read),
            _ => Payload::SourceInput($read),
        }
    };
}

fn next_payload<'de, A: MapAccess<'de>>(kind: &str, map: &mut A) -> Result<Payload, A::Error> {
    Ok(payload_of!(kind, map.next_value()?))
}

fn payload_from_text(kind: &str, text: &RawValue) -> Result<Payload, serde_json::Error> {
    Ok(payload_of!(kind, serde_json::from_str(text.get())?))
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.data.is_object() {
            return Err(S::Error::custom("a record's data must be an object"));
        }
        let mut wire = serializer.serialize_struct("Record", 4)?;
        wire.serialize_field("stream", &self.stream)?;
        wire.serialize_field("data", &self.data)?;
        if self.deleted {
            wire.serialize_field("recordDeleted", &true)?;
        } else {
            wire.skip_field("recordDeleted")?;
        }
        wire.serialize_field("emitted_at", &self.emitted_at)?;
        wire.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            stream: Arc<str>,
            data: RawJson,
            #[serde(rename = "recordDeleted", default)]
            deleted: Option<bool>,
            emitted_at: Timestamp,
        }
        let wire = Wire::deserialize(deserializer)?;
        if !wire.data.is_object() {
            return Err(D::Error::custom("`data` of a record must be an object"));
        }
        Ok(Record {
            stream: wire.stream,
            data: wire.data,
            deleted: wire.deleted.unwrap_or(false),
            emitted_at: wire.emitted_at,
        })
    }
}
