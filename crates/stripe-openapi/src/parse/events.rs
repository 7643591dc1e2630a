//! Events: which event types tell of which resource.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Document, enum_values};
use crate::EventType;
use crate::knowledge::events;

/// The event types of a document with the resource that each carries, where a schema tells.
pub(super) fn event_types<'a>(document: &Document<'a>) -> BTreeMap<&'a str, Option<&'a str>> {
    let mut types: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for name in webhook_event_types(document) {
        types.entry(name).or_default();
    }
    for schema in document.schemas() {
        let Some(name) = schema.pointer("/x-stripeEvent/type").and_then(Value::as_str) else { continue };
        let carried = schema.pointer("/properties/object").and_then(|object| document.resource_id(object));
        let known = types.entry(name).or_default();
        *known = known.or(carried);
    }
    types
}

/// The event types that a webhook endpoint can ask for.
fn webhook_event_types<'a>(document: &Document<'a>) -> impl Iterator<Item = &'a str> {
    let items = document.paths().get("/v1/webhook_endpoints").and_then(|path| {
        path.pointer("/post/requestBody/content/application~1x-www-form-urlencoded/schema/properties/enabled_events/items")
    });
    items.into_iter().flat_map(enum_values).filter(|name| name.contains('.'))
}

/// The events that tell of each of the resources `ids`, sorted by name.
pub(super) fn by_resource<'a>(
    document: &Document<'_>,
    types: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ids: &BTreeSet<&str>,
) -> BTreeMap<String, Vec<EventType>> {
    let mut found: BTreeMap<String, Vec<EventType>> = BTreeMap::new();
    for (name, carried) in types {
        let Some((subject, _)) = name.rsplit_once('.') else { continue };
        let subject = without_brackets(subject);
        let named = events::subject(&subject).or_else(|| named_resource(document, &subject, ids));
        let told: BTreeSet<&str> = carried.into_iter().chain(named).filter(|id| ids.contains(id)).collect();
        for id in told {
            let event = EventType { name: name.to_owned(), deletes: events::deletes(name) };
            found.entry(id.to_owned()).or_default().push(event);
        }
    }
    found
}

/// The resource that the subject of an event names: itself, written with underscores, or its end after
/// a dot. A subject that is itself a resource names no other: `financial_connections.account` is no `account`.
fn named_resource<'a>(document: &Document<'_>, subject: &str, ids: &BTreeSet<&'a str>) -> Option<&'a str> {
    if let Some(same) = ids.iter().find(|id| **id == subject || id.replace('.', "_") == subject) {
        return Some(same);
    }
    let mut end = subject;
    while let Some((_, rest)) = end.split_once('.') {
        if document.describes(end) {
            return None;
        }
        end = rest;
        if let Some(id) = ids.get(end) {
            return Some(id);
        }
    }
    None
}

/// `v2.core.account[configuration.customer]` speaks of `v2.core.account`.
fn without_brackets(subject: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(subject.len());
    for character in subject.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}
