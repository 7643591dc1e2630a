//! Columns and nested lists: the top-level properties of a resource.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, branches, type_of};
use crate::knowledge::names;
use crate::{Column, ColumnType, NestedList};

/// Names that every table keeps for itself.
const RESERVED: [&str; 7] =
    ["id", "_raw_data", "_synced_at", "_last_synced_at", "_updated_at", "_account_id", "deleted"];

/// What the schemas of one resource say about one property.
struct Property<'a> {
    /// The schema of each definition.
    candidates: Vec<&'a Value>,
    /// Whether every object has it.
    always: bool,
}

type Properties<'a> = BTreeMap<&'a str, Property<'a>>;

/// Columns and nested lists, each sorted by name, of a resource that `schemas` describe together.
pub(super) fn project<'a>(document: &Document<'a>, schemas: &[&'a Value]) -> (Vec<Column>, Vec<NestedList>) {
    let mut columns = Vec::new();
    let mut nested_lists = Vec::new();
    for (name, property) in either(schemas.iter().map(|schema| properties(document, schema, 0))) {
        if RESERVED.contains(&name) {
            continue;
        }
        if let Some(nested) = nested_list(document, name, &property.candidates) {
            nested_lists.push(nested);
            continue;
        }
        let shapes = property.candidates.iter().map(|candidate| shape(document, candidate, 0));
        let Some(shape) = shapes.reduce(Shape::merge) else { continue };
        columns.push(Column {
            name: name.to_owned(),
            column_type: shape.column_type,
            nullable: shape.nullable || !property.always,
            expandable: property
                .candidates
                .iter()
                .any(|candidate| candidate.get("x-expansionResources").is_some()),
        });
    }
    (columns, nested_lists)
}

/// All properties of a schema, through references and compositions.
fn properties<'a>(document: &Document<'a>, schema: &'a Value, depth: usize) -> Properties<'a> {
    // Deeper than any document goes: only a cycle gets here.
    if depth > 8 {
        return Properties::new();
    }
    let Some(schema) = document.resolve(schema) else { return Properties::new() };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut all = Properties::new();
    for (name, candidate) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let always = required.contains(&name.as_str());
        all.insert(name, Property { candidates: vec![candidate], always });
    }
    let of = |branch: &'a Value| properties(document, branch, depth + 1);
    for key in ["anyOf", "oneOf"] {
        let branches = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        add(&mut all, either(branches.map(of)));
    }
    for branch in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        add(&mut all, of(branch));
    }
    all
}

/// Adds what must hold as well: a property that one side always has is always there.
fn add<'a>(all: &mut Properties<'a>, more: Properties<'a>) {
    for (name, property) in more {
        let known = all.entry(name).or_insert(Property { candidates: Vec::new(), always: false });
        known.candidates.extend(property.candidates);
        known.always |= property.always;
    }
}

/// What holds if one of the alternatives does: a property is always there only if all always have it.
fn either<'a>(alternatives: impl Iterator<Item = Properties<'a>>) -> Properties<'a> {
    let mut count = 0;
    let mut merged: BTreeMap<&'a str, (Vec<&'a Value>, usize)> = BTreeMap::new();
    for alternative in alternatives {
        count += 1;
        for (name, property) in alternative {
            let (candidates, always) = merged.entry(name).or_default();
            candidates.extend(property.candidates);
            *always += usize::from(property.always);
        }
    }
    let property = |(candidates, always)| Property { candidates, always: always == count };
    merged.into_iter().map(|(name, counted)| (name, property(counted))).collect()
}

/// The nested list that all candidates of the property `name` are.
fn nested_list<'a>(document: &Document<'a>, name: &str, candidates: &[&'a Value]) -> Option<NestedList> {
    let mut item_table = None;
    for candidate in candidates {
        let envelope = document.envelope(candidate)?;
        let id = envelope.items.and_then(|items| document.item_resource(items, name));
        item_table = item_table.or_else(|| id.map(names::table));
    }
    (!candidates.is_empty()).then(|| NestedList { property: name.to_owned(), item_table })
}

/// Type and nullability of one definition.
#[derive(Clone, Copy)]
struct Shape {
    column_type: ColumnType,
    nullable: bool,
}

impl Shape {
    fn merge(self, other: Self) -> Self {
        use ColumnType::{BigInt, Json, Numeric, Text};
        let column_type = match (self.column_type, other.column_type) {
            (one, same) if one == same => one,
            (Json, _) | (_, Json) => Json,
            (BigInt, Numeric) | (Numeric, BigInt) => Numeric,
            _ => Text,
        };
        Self { column_type, nullable: self.nullable || other.nullable }
    }
}

fn shape(document: &Document<'_>, schema: &Value, depth: usize) -> Shape {
    let nullable = schema.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    if schema.get("$ref").is_some() {
        let target = document.target(schema).filter(|_| depth < 8);
        return match target {
            Some(target) => {
                let inner = shape(document, target, depth + 1);
                Shape { nullable: nullable || inner.nullable, ..inner }
            }
            None => Shape { column_type: ColumnType::Json, nullable },
        };
    }
    let merged = branches(schema).map(|branch| shape(document, branch, depth + 1)).reduce(Shape::merge);
    if let Some(inner) = merged {
        return Shape { nullable: nullable || inner.nullable, ..inner };
    }
    let has_properties = schema.get("properties").is_some() || schema.get("additionalProperties").is_some();
    let column_type = match type_of(schema) {
        Some("boolean") => ColumnType::Boolean,
        Some("integer") => ColumnType::BigInt,
        Some("number") => ColumnType::Numeric,
        Some("string") if schema.get("format").is_some_and(|format| format == "date-time") => {
            ColumnType::Timestamp
        }
        Some("string") => ColumnType::Text,
        Some("object" | "array") => ColumnType::Json,
        _ if has_properties => ColumnType::Json,
        _ => return untyped(schema, nullable),
    };
    Shape { column_type, nullable }
}

/// The shape of a schema without a type: its `enum` may tell; otherwise it is text that may be null.
fn untyped(schema: &Value, nullable: bool) -> Shape {
    let values: &[Value] = schema.get("enum").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let all = |holds: fn(&Value) -> bool| !values.is_empty() && values.iter().all(holds);
    let column_type = if all(Value::is_boolean) {
        ColumnType::Boolean
    } else if all(|value| value.is_i64() || value.is_u64()) {
        ColumnType::BigInt
    } else if all(Value::is_number) {
        ColumnType::Numeric
    } else {
        return Shape { column_type: ColumnType::Text, nullable: true };
    };
    Shape { column_type, nullable }
}
