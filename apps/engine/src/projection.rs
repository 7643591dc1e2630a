//! Field selection on raw text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use protocol::{ConfiguredStream, RawJson, RawJsonError};
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::selection::kept_fields;

/// Keeps the selected top-level members of a payload as they are: digits, escapes, order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    kept: HashSet<String>,
}

impl Projection {
    /// What a stream keeps; `None` where no fields were selected and payloads stay whole.
    pub fn of(configured: &ConfiguredStream) -> Option<Projection> {
        kept_fields(configured).map(|kept| Projection { kept })
    }

    /// Keeps these members.
    pub(crate) fn keeping<'n>(names: impl Iterator<Item = &'n str>) -> Projection {
        Projection { kept: names.map(str::to_owned).collect() }
    }

    /// The payload with the kept members only. Fails if it is not an object.
    pub fn apply(&self, payload: &RawJson) -> Result<RawJson, RawJsonError> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload.as_bytes());
        let text = deserializer.deserialize_map(Kept { kept: &self.kept, capacity: payload.len() / 4 })?;
        Ok(RawJson::from_trusted(Bytes::from(text)))
    }
}

struct Kept<'k> {
    kept: &'k HashSet<String>,
    capacity: usize,
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u8>, A::Error> {
        let mut text = Vec::with_capacity(self.capacity);
        text.push(b'{');
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if !self.kept.contains(&*key.0) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &RawValue = map.next_value()?;
            if text.len() > 1 {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &key.0).map_err(serde::de::Error::custom)?;
            text.push(b':');
            text.extend_from_slice(value.get().as_bytes());
        }
        text.push(b'}');
        Ok(text)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn projection(kept: &[&str]) -> Projection {
        Projection { kept: kept.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn keeps_members_as_they_are() {
        let payload = RawJson::parse(
            r#"{"z":1, "id" : "a", "amount":12345678901234567890.10,"\u0065mail":"\u00e9","id2":{"id":0}}"#,
        )
        .unwrap();
        let kept = projection(&["id", "amount", "email"]).apply(&payload).unwrap();
        assert_eq!(kept.as_str(), r#"{"id":"a","amount":12345678901234567890.10,"email":"\u00e9"}"#);
        assert_eq!(projection(&[]).apply(&payload).unwrap().as_str(), "{}");
    }

    #[test]
    fn refuses_what_is_not_an_object() {
        assert!(projection(&["id"]).apply(&RawJson::parse("[1]").unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn equals_filtering_the_parsed_object(
            object in prop::collection::btree_map("[a-c\"\\\\é]{0,2}", any::<i64>(), 0..8),
            kept in prop::collection::hash_set("[a-c\"\\\\é]{0,2}", 0..4),
        ) {
            let whole: Map<String, Value> =
                object.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
            let payload = RawJson::from_value(&whole).unwrap();
            let projected: Map<String, Value> =
                Projection { kept: kept.clone() }.apply(&payload).unwrap().read().unwrap();
            let expected: Map<String, Value> =
                whole.into_iter().filter(|(name, _)| kept.contains(name)).collect();
            prop_assert_eq!(projected, expected);
        }
    }
}
