//! Changing the named fields of a payload.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use protocol::{RawJson, RawJsonError, Transform};
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::Sha256;

type Digest = Hmac<Sha256>;

/// What happens to the fields of a payload.
pub(super) struct Rewriting {
    fields: Node,
    names: BTreeMap<String, String>,
    /// Keyed; cloned for each value.
    digest: Option<Digest>,
}

/// What happens to a value, or to the members below it.
#[derive(Debug, Default)]
struct Node {
    change: Option<Change>,
    below: HashMap<String, Node>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Hash,
    Redact,
}

impl fmt::Debug for Rewriting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rewriting").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Rewriting {
    /// `None` where no field is changed. Says what is wrong where digests have no key.
    pub(super) fn new(transform: &Transform, hash_key: Option<&str>) -> Result<Option<Rewriting>, String> {
        let digest = match hash_key.filter(|key| !key.is_empty()) {
            _ if transform.hash.is_empty() => None,
            Some(key) => Some(Digest::new_from_slice(key.as_bytes()).map_err(|error| error.to_string())?),
            None => {
                return Err("`hash` needs a `hash_key`, any secret text: without one, digests of e-mail \
                            addresses and the like are easily guessed"
                    .to_owned());
            }
        };
        let mut fields = Node::default();
        let hashed = transform.hash.iter().map(|path| (path, Change::Hash));
        for (path, change) in hashed.chain(transform.redact.iter().map(|path| (path, Change::Redact))) {
            let mut node = &mut fields;
            for name in path.split('.') {
                node = node.below.entry(name.to_owned()).or_default();
            }
            // What is both is gone.
            node.change = Some(change);
        }
        let names = transform.rename.clone();
        let is_needed = !fields.below.is_empty() || !names.is_empty();
        Ok(is_needed.then_some(Rewriting { fields, names, digest }))
    }

    /// The payload with the changes. Fails if it is not an object.
    pub(super) fn apply(&self, payload: &RawJson) -> Result<RawJson, RawJsonError> {
        let mut text = Vec::with_capacity(payload.len() + 64);
        let mut deserializer = serde_json::Deserializer::from_slice(payload.as_bytes());
        deserializer.deserialize_map(Members {
            rules: self,
            node: &self.fields,
            names: Some(&self.names),
            out: &mut text,
        })?;
        Ok(RawJson::from_trusted(Bytes::from(text)))
    }

    fn value(&self, value: &RawValue, node: &Node, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let text = value.get();
        match node.change {
            Some(Change::Redact) => out.extend_from_slice(b"null"),
            Some(Change::Hash) if text == "null" => out.extend_from_slice(b"null"),
            Some(Change::Hash) => {
                out.push(b'"');
                out.extend_from_slice(self.digest_of(text)?.as_bytes());
                out.push(b'"');
            }
            None => {
                let mut deserializer = serde_json::Deserializer::from_str(text);
                match text.as_bytes().first() {
                    Some(b'{') => {
                        deserializer.deserialize_map(Members { rules: self, node, names: None, out })?;
                    }
                    Some(b'[') => deserializer.deserialize_seq(Items { rules: self, node, out })?,
                    _ => out.extend_from_slice(text.as_bytes()),
                }
            }
        }
        Ok(())
    }

    /// Of a string its characters count, however they are escaped; of anything else its text.
    fn digest_of(&self, json: &str) -> Result<String, serde_json::Error> {
        let plain: Cow<'_, str> =
            if json.starts_with('"') { serde_json::from_str(json)? } else { json.into() };
        let mut digest =
            self.digest.clone().ok_or_else(|| serde::ser::Error::custom("a digest has no key"))?;
        digest.update(plain.as_bytes());
        Ok(hex::encode(digest.finalize().into_bytes()))
    }
}

/// Writes an object.
struct Members<'r> {
    rules: &'r Rewriting,
    node: &'r Node,
    names: Option<&'r BTreeMap<String, String>>,
    out: &'r mut Vec<u8>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Members { rules, node, names, out } = self;
        let mut between = b'{';
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let value: &RawValue = map.next_value()?;
            out.push(between);
            between = b',';
            let new = names.and_then(|names| names.get(&*key.0));
            let name = new.map_or(&*key.0, String::as_str);
            serde_json::to_writer(&mut *out, name).map_err(serde::de::Error::custom)?;
            out.push(b':');
            match node.below.get(&*key.0) {
                Some(below) => rules.value(value, below, out).map_err(serde::de::Error::custom)?,
                None => out.extend_from_slice(value.get().as_bytes()),
            }
        }
        if between == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }
}

/// Writes a list, the same for each of its items.
struct Items<'r> {
    rules: &'r Rewriting,
    node: &'r Node,
    out: &'r mut Vec<u8>,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut between = b'[';
        while let Some(item) = items.next_element::<&RawValue>()? {
            self.out.push(between);
            between = b',';
            self.rules.value(item, self.node, self.out).map_err(serde::de::Error::custom)?;
        }
        if between == b'[' {
            self.out.push(b'[');
        }
        self.out.push(b']');
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
