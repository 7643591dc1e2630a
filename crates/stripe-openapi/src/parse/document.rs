//! An OpenAPI document, and how its schemas refer to each other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::knowledge::names;
use crate::{Error, ListStyle};

/// A document with its schemas indexed by resource.
pub(super) struct Document<'a> {
    pub(super) api_version: &'a str,
    root: &'a Value,
    schemas: BTreeMap<&'a str, &'a Value>,
    resources: BTreeMap<&'a str, Vec<&'a Value>>,
}

/// A response or property that holds a page of a list.
pub(super) struct Envelope<'a> {
    pub(super) style: ListStyle,
    pub(super) items: Option<&'a Value>,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value) -> Result<Self, Error> {
        let missing = |what: &str| Error::NotADocument { reason: format!("`{what}` is missing") };
        root.get("openapi").ok_or_else(|| missing("openapi"))?;
        let api_version =
            root.pointer("/info/version").and_then(Value::as_str).ok_or_else(|| missing("info.version"))?;
        let schemas: BTreeMap<&str, &Value> = root
            .pointer("/components/schemas")
            .and_then(Value::as_object)
            .ok_or_else(|| missing("components.schemas"))?
            .iter()
            .map(|(name, schema)| (name.as_str(), schema))
            .collect();
        root.get("paths").and_then(Value::as_object).ok_or_else(|| missing("paths"))?;
        let mut resources: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for schema in schemas.values() {
            if let Some(id) = own_resource_id(schema) {
                resources.entry(id).or_default().push(schema);
            }
        }
        Ok(Self { api_version, root, schemas, resources })
    }

    /// Every path, sorted.
    pub(super) fn paths(&self) -> BTreeMap<&'a str, &'a Value> {
        let paths = self.root.get("paths").and_then(Value::as_object);
        paths.into_iter().flatten().map(|(path, item)| (path.as_str(), item)).collect()
    }

    /// Every schema, sorted by name.
    pub(super) fn schemas(&self) -> impl Iterator<Item = &'a Value> {
        self.schemas.values().copied()
    }

    /// The schemas that describe the resource `id`.
    pub(super) fn schemas_of(&self, id: &str) -> &[&'a Value] {
        self.resources.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether the document describes the resource `id`.
    pub(super) fn describes(&self, id: &str) -> bool {
        self.resources.contains_key(id)
    }

    /// The resource whose table is `table`.
    pub(super) fn resource_of_table(&self, table: &str) -> Option<&'a str> {
        self.resources.keys().copied().find(|id| names::table(id) == table)
    }

    /// The schema that a `$ref` points to, if `schema` is a reference.
    pub(super) fn target(&self, schema: &Value) -> Option<&'a Value> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")?;
        self.schemas.get(name).copied()
    }

    /// Follows references to the schema itself; a dangling or circular reference is nothing.
    pub(super) fn resolve(&self, schema: &'a Value) -> Option<&'a Value> {
        let mut schema = schema;
        for _ in 0..16 {
            if schema.get("$ref").is_none() {
                return Some(schema);
            }
            schema = self.target(schema)?;
        }
        None
    }

    /// The resource that `schema` is or refers to.
    pub(super) fn resource_id(&self, schema: &'a Value) -> Option<&'a str> {
        own_resource_id(self.resolve(schema)?)
    }

    /// The resource of the items of a list, whose property or last path segment is `name`.
    ///
    /// Lists of mixed items (bank accounts and cards) name no resource in most documents; theirs is known
    /// by the name of the list.
    pub(super) fn item_resource(&self, items: &'a Value, name: &str) -> Option<&'a str> {
        if items.get("$ref").is_some() {
            return self.resource_id(items);
        }
        branches(items).next()?;
        names::mixed_list(name)
    }

    /// The envelope that `schema` is: directly, by reference, or in every branch of a composition.
    pub(super) fn envelope(&self, schema: &'a Value) -> Option<Envelope<'a>> {
        self.envelope_within(schema, 0)
    }

    fn envelope_within(&self, schema: &'a Value, depth: usize) -> Option<Envelope<'a>> {
        if depth > 8 {
            return None;
        }
        let schema = self.resolve(schema)?;
        if let Some(properties) = schema.get("properties") {
            let data = properties.get("data").filter(|data| type_of(data) == Some("array"))?;
            let style = if properties.get("next_page_url").is_some() {
                ListStyle::V2
            } else if enum_values(properties.get("object")?).any(|value| value == "list") {
                ListStyle::V1
            } else {
                return None;
            };
            return Some(Envelope { style, items: data.get("items") });
        }
        let mut envelopes = branches(schema).map(|branch| self.envelope_within(branch, depth + 1));
        let first = envelopes.next()??;
        envelopes.all(|envelope| envelope.is_some()).then_some(first)
    }
}

/// The stable name of the resource that a schema declares to be.
fn own_resource_id(schema: &Value) -> Option<&str> {
    schema.get("x-resourceId").and_then(Value::as_str).map(names::stable_resource_id)
}

/// The branches of `anyOf`, `oneOf` and `allOf`.
pub(super) fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// The `type` of a schema.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

/// The strings of a schema's `enum`.
pub(super) fn enum_values(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
