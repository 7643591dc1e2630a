//! What a connector's schema says about a place in its configuration.

use serde_json::Value;

/// So deep are references followed; a schema that refers to itself ends here.
const DEEPEST: usize = 16;

/// All that a schema says about one place: a node of it, with those that it refers to and its alternatives.
#[derive(Clone)]
pub(crate) struct Place<'s> {
    root: &'s Value,
    nodes: Vec<&'s Value>,
}

impl<'s> Place<'s> {
    /// The place of the whole configuration. A schema that is `null` says nothing.
    pub(crate) fn root(schema: &'s Value) -> Place<'s> {
        Place { root: schema, nodes: Vec::new() }.with([schema].into_iter())
    }

    /// The place of a member.
    pub(crate) fn member(&self, name: &str) -> Place<'s> {
        let known = self.nodes.iter().filter_map(|node| {
            let own = node.get("properties").and_then(|properties| properties.get(name));
            own.or_else(|| node.get("additionalProperties"))
        });
        self.with(known)
    }

    /// The place of an item.
    pub(crate) fn item(&self) -> Place<'s> {
        self.with(self.nodes.iter().filter_map(|node| node.get("items")))
    }

    /// Whether a node has this member with this value.
    pub(crate) fn says(&self, name: &str, value: &Value) -> bool {
        self.nodes.iter().any(|node| node.get(name) == Some(value))
    }

    fn with(&self, nodes: impl Iterator<Item = &'s Value>) -> Place<'s> {
        let mut place = Place { root: self.root, nodes: Vec::new() };
        for node in nodes {
            place.add(node, 0);
        }
        place
    }

    fn add(&mut self, node: &'s Value, depth: usize) {
        if depth > DEEPEST || self.nodes.iter().any(|known| std::ptr::eq(*known, node)) {
            return;
        }
        self.nodes.push(node);
        let reference = node.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        let root = self.root;
        if let Some(meant) = reference.and_then(|pointer| root.pointer(pointer)) {
            self.add(meant, depth + 1);
        }
        for alternatives in ["allOf", "anyOf", "oneOf"] {
            for alternative in node.get(alternatives).and_then(Value::as_array).into_iter().flatten() {
                self.add(alternative, depth + 1);
            }
        }
    }
}

/// The words of a member's name: `serviceAccount_key` has three.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_is_found_through_references_and_alternatives() {
        let schema = json!({
            "$defs": {"Aws": {"properties": {"host": {"format": "hostname"}, "self": {"$ref": "#/$defs/Aws"}}}},
            "properties": {
                "aws": {"anyOf": [{"$ref": "#/$defs/Aws"}, {"type": "null"}]},
                "list": {"items": {"writeOnly": true}},
                "map": {"additionalProperties": {"format": "uri"}},
            },
        });
        let root = Place::root(&schema);
        assert!(root.member("aws").member("host").says("format", &json!("hostname")));
        assert!(
            root.member("aws")
                .member("self")
                .member("self")
                .member("host")
                .says("format", &json!("hostname"))
        );
        assert!(root.member("list").item().says("writeOnly", &json!(true)));
        assert!(root.member("map").member("any").says("format", &json!("uri")));
        assert!(!root.member("none").member("host").says("format", &json!("uri")));
        assert!(!Place::root(&Value::Null).member("x").item().says("a", &json!(1)));
    }

    #[test]
    fn names_have_words() {
        assert_eq!(words("serviceAccount_key"), ["service", "account", "key"]);
        assert_eq!(words("DB-Host2"), ["db", "host2"]);
        assert_eq!(words("baseURL"), ["base", "url"]);
        assert_eq!(words("__"), Vec::<String>::new());
    }
}
