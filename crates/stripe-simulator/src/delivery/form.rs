//! Form-encoded bodies with arrays and hashes: `enabled_events[]=*&metadata[a]=b`.

use serde_json::{Map, Value};

use crate::query::{Query, base};

/// A parsed body.
#[derive(Debug)]
pub(crate) struct Form(Query);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(Query::parse(&String::from_utf8_lossy(body)))
    }

    /// A plain value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// The values of `name[]`, `name[0]`, …, in the order of the body; `None` where there are none.
    pub(crate) fn array(&self, name: &str) -> Option<Vec<&str>> {
        let found: Vec<&str> =
            self.0.pairs.iter().filter(|(key, _)| base(key) == name).map(|(_, v)| v.as_str()).collect();
        (!found.is_empty()).then_some(found)
    }

    /// The pairs of `name[key]`; an empty value removes the key, and so is null.
    pub(crate) fn hash(&self, name: &str) -> Option<Map<String, Value>> {
        let start = format!("{name}[");
        let pairs = self.0.pairs.iter().filter_map(|(key, value)| {
            let inner = key.strip_prefix(&start)?.strip_suffix(']')?;
            let value = if value.is_empty() { Value::Null } else { Value::from(value.as_str()) };
            Some((inner.to_owned(), value))
        });
        let found: Map<String, Value> = pairs.collect();
        (!found.is_empty()).then_some(found)
    }

    /// A parameter that is none of these.
    pub(crate) fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.0.pairs.iter().map(|(key, _)| key.as_str()).find(|key| !known.contains(&base(key)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays_and_hashes_are_read() {
        let form = Form::parse(b"url=http%3A%2F%2Fa&e[]=x&e%5B1%5D=y&metadata[k]=v+w&metadata[gone]=");
        assert_eq!(form.get("url"), Some("http://a"));
        assert_eq!(form.array("e"), Some(vec!["x", "y"]));
        assert_eq!(form.array("none"), None);
        assert_eq!(json!(form.hash("metadata")), json!({"k": "v w", "gone": null}));
        assert_eq!(form.unknown(&["url", "e"]), Some("metadata[k]"));
    }
}
