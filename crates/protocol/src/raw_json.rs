//! JSON text that is carried, not parsed.

mod members;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One complete JSON value as text, in shared bytes: cloning copies no data.
///
/// The text is valid JSON; digits, escapes and key order are the sender's.
/// Equality compares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

/// A text is not one JSON value, or it is one of another shape than is wanted.
#[derive(Debug, thiserror::Error)]
#[error("{}{_0}", if _0.is_data() { "" } else { "not a JSON value: " })]
pub struct RawJsonError(#[from] serde_json::Error);

impl RawJson {
    /// Checks that `text` is exactly one JSON value and keeps it, without the white space around it.
    pub fn parse(text: impl Into<Bytes>) -> Result<RawJson, RawJsonError> {
        let text = text.into();
        let value: &RawValue = serde_json::from_slice(&text)?;
        Ok(RawJson::part_of(&text, value))
    }

    /// The value `part`, which was borrowed from `whole`, sharing its bytes.
    ///
    /// # Panics
    /// If `part` was not borrowed from `whole`.
    pub fn part_of(whole: &Bytes, part: &RawValue) -> RawJson {
        RawJson(whole.slice_ref(part.get().as_bytes()))
    }

    /// Serialises `value`.
    pub fn from_value(value: &impl Serialize) -> Result<RawJson, RawJsonError> {
        Ok(RawJson(serde_json::to_vec(value)?.into()))
    }

    /// Takes a text that the caller has built from valid JSON parts, without reading it again.
    pub fn from_trusted(text: Bytes) -> RawJson {
        debug_assert!(serde_json::from_slice::<IgnoredAny>(&text).is_ok(), "text is not JSON");
        RawJson(text)
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text. Valid JSON is valid UTF-8, so this is only a check, not a copy.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The shared bytes of the text.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Length of the text in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: the shortest JSON value has one byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.first() == Some(&b'{')
    }

    /// Parses the text into `T`, which may borrow from it.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, RawJsonError> {
        Ok(serde_json::from_slice(&self.0)?)
    }

    /// Finds the named top-level members of an object in one scan, borrowed.
    /// Of a repeated key the last counts, as in most JSON readers. Fails if this is not an object.
    pub fn members<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&RawValue>; N], RawJsonError> {
        if let Some(found) = members::find(&self.0, names) {
            let mut values = [None; N];
            for (value, place) in values.iter_mut().zip(found) {
                *value = place.map(|place| serde_json::from_slice(&self.0[place])).transpose()?;
            }
            return Ok(values);
        }
        // A key with escapes, or no object at all.
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        Ok(Members(names).deserialize(&mut deserializer)?)
    }

    /// Appends the text to `out` on one line. Raw line breaks in JSON are insignificant white space.
    pub fn write_on_one_line(&self, out: &mut Vec<u8>) {
        let mut rest: &[u8] = &self.0;
        while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
    }
}

/// A JSON text, number or boolean as text, as a key or a version is compared; `None` for anything else.
pub fn scalar_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<&str>(json)
            .map(Cow::Borrowed)
            .or_else(|_| serde_json::from_str::<String>(json).map(Cow::Owned))
            .ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(json)),
    }
}

struct Members<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Members<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(position) = map.next_key_seed(Position(&self.0))? {
            match position {
                Some(at) => found[at] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Reads a key as its position among the wanted names, without copying it.
struct Position<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Position<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Position<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawJson, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        Ok(RawJson(Bytes::from(String::from(Box::<str>::from(value)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_the_text_or_its_shape() {
        #[derive(Debug, Deserialize)]
        struct Named {
            #[expect(dead_code, reason = "it is not there")]
            name: String,
        }
        let json = RawJson::parse(r#"{"id":"x"}"#).unwrap();
        let told = json.read::<Named>().unwrap_err().to_string();
        assert!(told.starts_with("missing field `name`"), "{told}");
        let told = RawJson::parse("[1]").unwrap().members(["a"]).unwrap_err().to_string();
        assert!(told.starts_with("invalid type: sequence, expected a JSON object"), "{told}");
        for text in ["{", "{}x", "\"", ""] {
            let told = RawJson::parse(text).unwrap_err().to_string();
            assert!(told.starts_with("not a JSON value: "), "{told}");
        }
    }

    #[test]
    fn keeps_digits_and_key_order() {
        let text = r#"{"z":12345678901234567890.10,"a":"\u00e9"}"#;
        let json = RawJson::parse(text).unwrap();
        assert_eq!(json.as_str(), text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }

    #[test]
    fn finds_members_at_the_top_level_only() {
        let json = RawJson::parse(r#"{"a":{"id":"inner"},"id":"outer","n":1.50,"n":2.0}"#).unwrap();
        let [id, n, missing] = json.members(["id", "n", "missing"]).unwrap();
        assert_eq!(id.unwrap().get(), r#""outer""#);
        assert_eq!(n.unwrap().get(), "2.0");
        assert!(missing.is_none());
        assert!(RawJson::parse("[1]").unwrap().members(["a"]).is_err());
    }

    #[test]
    fn escaped_keys_are_the_same_keys() {
        let json = RawJson::parse(r#"{"\u0069d":1}"#).unwrap();
        assert_eq!(json.members(["id"]).unwrap()[0].unwrap().get(), "1");
    }

    #[test]
    fn goes_on_one_line_without_touching_strings() {
        let json = RawJson::parse("{\r\n  \"a\": \"x\\ny\",\n  \"b\": 1\n}").unwrap();
        let mut line = Vec::new();
        json.write_on_one_line(&mut line);
        assert_eq!(String::from_utf8(line).unwrap(), r#"{  "a": "x\ny",  "b": 1}"#);
    }

    #[test]
    fn refuses_what_is_not_one_value() {
        for text in ["", "{", "{} {}", "nul", "{\"a\":\"\x01\"}"] {
            assert!(RawJson::parse(text).is_err(), "{text:?}");
        }
    }
}
