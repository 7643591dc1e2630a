//! Paths: which lists a document offers, and where one object is read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, branches, enum_values};
use crate::knowledge::{lists, names};
use crate::{ListEndpoint, Parameter};

/// Parameters that page through a list or shape its answer: requiring one hides nothing.
const PAGING: [&str; 5] = ["limit", "starting_after", "ending_before", "created", "expand"];

/// A list found in the document.
pub(super) struct FoundList<'a> {
    pub(super) endpoint: ListEndpoint,
    pub(super) resource_id: &'a str,
    /// The schema of the items.
    pub(super) items: &'a Value,
}

impl FoundList<'_> {
    /// Whether the path names a parent.
    pub(super) fn is_nested(&self) -> bool {
        self.endpoint.path.contains('{')
    }

    /// The parameters without which the list answers nothing, beside those that we know to give.
    pub(super) fn needs(&self) -> impl Iterator<Item = &str> {
        let needed = |parameter: &&Parameter| {
            parameter.required
                && !PAGING.contains(&parameter.name.as_str())
                && !lists::always_sent(&self.endpoint.path).any(|(name, _)| name == parameter.name)
        };
        let undocumented = lists::parent_by_query(&self.endpoint.path).map(|(parameter, _)| parameter);
        self.endpoint
            .parameters
            .iter()
            .filter(needed)
            .map(|parameter| parameter.name.as_str())
            .chain(undocumented)
    }
}

/// The GET operations that are meant to be used, by path.
pub(super) fn operations<'a>(document: &Document<'a>) -> BTreeMap<&'a str, &'a Value> {
    let usable = |path: &str, operation: &Value| {
        let deprecated = operation.get("deprecated").and_then(Value::as_bool).unwrap_or(false);
        let description = operation.get("description").and_then(Value::as_str).unwrap_or("");
        !deprecated && !description.starts_with("<p>[Deprecated]") && !names::is_removed_path(path)
    };
    let get = |(path, item): (&'a str, &'a Value)| Some((path, item.get("get")?));
    document.paths().into_iter().filter_map(get).filter(|(path, operation)| usable(path, operation)).collect()
}

/// The schema of a successful answer.
fn answer(operation: &Value) -> Option<&Value> {
    operation.get("responses")?.get("200")?.get("content")?.get("application/json")?.get("schema")
}

/// All lists of resources, sorted by path.
pub(super) fn lists<'a>(
    document: &Document<'a>,
    operations: &BTreeMap<&'a str, &'a Value>,
) -> Vec<FoundList<'a>> {
    let list = |(path, operation): (&&'a str, &&'a Value)| {
        let envelope = document.envelope(answer(operation)?)?;
        let items = envelope.items?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let resource_id = document.item_resource(items, name)?;
        let endpoint = ListEndpoint {
            path: (*path).to_owned(),
            style: envelope.style,
            parameters: parameters(operation),
        };
        Some(FoundList { endpoint, resource_id, items })
    };
    operations.iter().filter_map(list).filter(|list| !lists::is_no_copy(&list.endpoint.path)).collect()
}

/// The query parameters of an operation, sorted by name.
fn parameters(operation: &Value) -> Vec<Parameter> {
    let of = |parameter: &Value| {
        (parameter.get("in")? == "query").then_some(())?;
        let name = parameter.get("name")?.as_str()?.trim_end_matches("[]").to_owned();
        let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
        let schema = parameter.get("schema");
        let mut values: Vec<String> = schema
            .into_iter()
            .flat_map(enum_values)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect();
        values.sort();
        values.dedup();
        Some(Parameter { name, required, values })
    };
    let all = operation.get("parameters").and_then(Value::as_array);
    let mut parameters: Vec<Parameter> = all.into_iter().flatten().filter_map(of).collect();
    parameters.sort_by(|one, other| one.name.cmp(&other.name));
    parameters.dedup_by(|one, other| one.name == other.name);
    parameters
}

/// The path that answers one object of the resource: below its own list if there is such a path,
/// else the one that asks for the fewest ids.
pub(super) fn retrieve_path(
    document: &Document<'_>,
    operations: &BTreeMap<&str, &Value>,
    resource_id: &str,
    list_path: Option<&str>,
) -> Option<String> {
    let answers = |path: &str, operation: &Value| {
        let schema = answer(operation)?;
        let is_resource = document.resource_id(schema) == Some(resource_id)
            || branches(schema).any(|branch| document.resource_id(branch) == Some(resource_id));
        (path.ends_with('}') && is_resource).then_some(())
    };
    let below_list = |path: &str| list_path.is_some_and(|list| parent_of(path) == Some(list));
    let rank = |path: &&str| (!below_list(path), path.matches('{').count(), path.len());
    let candidates = operations.iter().filter(|(path, operation)| answers(path, operation).is_some());
    candidates.map(|(path, _)| *path).min_by_key(rank).map(str::to_owned)
}

/// The path before its last segment, if that is a parameter.
pub(super) fn parent_of(path: &str) -> Option<&str> {
    let (before, last) = path.rsplit_once('/')?;
    last.starts_with('{').then_some(before)
}

/// The last parameter of a path with the path before it: `invoice` and `/v1/invoices` for
/// `/v1/invoices/{invoice}/lines`.
pub(super) fn last_parameter(path: &str) -> Option<(&str, &str)> {
    let open = path.rfind('{')?;
    let name = path[open + 1..].split('}').next()?;
    Some((name, path[..open].trim_end_matches('/')))
}
