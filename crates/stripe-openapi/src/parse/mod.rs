//! From one of Stripe's OpenAPI documents to a [`Catalog`].
//!
//! Both shapes parse: the complete documents that Stripe publishes, from the earliest on, and documents that
//! were derived from an official SDK. The result does not depend on the order of keys in the document.

mod columns;
mod document;
mod events;
mod paths;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::history;
use crate::knowledge::{lists, names};
use crate::{Catalog, ChildList, Error, ListEndpoint, NestedList, Resource};
use document::Document;
use paths::FoundList;

/// Parses the text of a document.
///
/// Fails if the text is not JSON or lacks `openapi`, `info.version`, `paths` or `components.schemas`.
pub fn catalog_from_slice(text: &[u8]) -> Result<Catalog, Error> {
    let document =
        serde_json::from_slice(text).map_err(|error| Error::NotADocument { reason: error.to_string() })?;
    catalog(&document)
}

/// Parses a document that is already JSON. Fails like [`catalog_from_slice`].
pub fn catalog(document: &Value) -> Result<Catalog, Error> {
    catalog_with_events(document, &[])
}

/// Parses a document; one that names no event types at all, as was usual until September 2018,
/// is taken to have those of `usual_events`.
pub fn catalog_with_events(document: &Value, usual_events: &[String]) -> Result<Catalog, Error> {
    let document = Document::new(document)?;
    let operations = paths::operations(&document);
    let found = paths::lists(&document, &operations);
    let kinds = Kinds::find(&document, &found);

    let tables: BTreeSet<String> = kinds.ids.iter().map(|id| names::table(id)).collect();
    let types = events::event_types(&document);
    let usual = usual_events.iter().map(|name| (name.as_str(), None));
    let mut events = if types.is_empty() {
        events::by_resource(&document, usual, &kinds.ids)
    } else {
        events::by_resource(&document, types.into_iter(), &kinds.ids)
    };

    let mut resources: Vec<Resource> = Vec::with_capacity(kinds.ids.len());
    for id in &kinds.ids {
        let own: Vec<&FoundList<'_>> = found.iter().filter(|list| list.resource_id == *id).collect();
        let list = own_list(&own);
        let (columns, mut nested_lists) = columns::project(&document, &kinds.schemas(&document, id));
        for nested in &mut nested_lists {
            nested.item_table = nested.item_table.take().filter(|table| tables.contains(table));
        }
        let list_path = list.map(|list| list.path.as_str());
        resources.push(Resource {
            table: names::table(id),
            resource_id: (*id).to_owned(),
            list: list.cloned(),
            child_lists: child_lists(&own, &found, &tables),
            retrieve_path: paths::retrieve_path(&document, &operations, id, list_path),
            columns,
            nested_lists,
            events: events.remove(*id).unwrap_or_default(),
        });
    }
    history::sort(&mut resources);
    Ok(Catalog { api_version: document.api_version.to_owned(), resources })
}

/// The names of all event types in a document, sorted.
pub fn event_types(document: &Value) -> Result<Vec<String>, Error> {
    let document = Document::new(document)?;
    Ok(events::event_types(&document).into_keys().map(str::to_owned).collect())
}

/// The resources that are worth a table, and the schema of those that none declares to be.
struct Kinds<'a> {
    ids: BTreeSet<&'a str>,
    mixed: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Kinds<'a> {
    /// Resources that a list answers, and, in turn, those in their nested lists.
    fn find(document: &Document<'a>, found: &[FoundList<'a>]) -> Self {
        let mut kinds = Self { ids: BTreeSet::new(), mixed: BTreeMap::new() };
        let usable = |list: &&FoundList<'_>| {
            list.is_nested()
                || list.needs().next().is_none()
                || list.needs().any(|need| parent(list, need, found).is_some())
        };
        for list in found.iter().filter(usable) {
            kinds.ids.insert(list.resource_id);
            if !document.describes(list.resource_id) {
                kinds.mixed.insert(list.resource_id, list.items);
            }
        }
        let mut open: Vec<&str> = kinds.ids.iter().copied().collect();
        while let Some(id) = open.pop() {
            let (_, nested) = columns::project(document, &kinds.schemas(document, id));
            for table in nested.into_iter().filter_map(|nested: NestedList| nested.item_table) {
                let Some(item) = document.resource_of_table(&table) else { continue };
                if kinds.ids.insert(item) {
                    open.push(item);
                }
            }
        }
        kinds
    }

    fn schemas(&self, document: &Document<'a>, id: &str) -> Vec<&'a Value> {
        let mixed = self.mixed.get(id).copied();
        document.schemas_of(id).iter().copied().chain(mixed).collect()
    }
}

/// The list that needs no parent: the first by path, an old name only if nothing else is there.
fn own_list<'a>(own: &[&'a FoundList<'_>]) -> Option<&'a ListEndpoint> {
    let candidates = own.iter().filter(|list| !list.is_nested() && list.needs().next().is_none());
    candidates
        .min_by_key(|list| (lists::is_old_path(&list.endpoint.path), &list.endpoint.path))
        .map(|list| &list.endpoint)
}

/// The lists that need a parent, sorted by path.
fn child_lists(own: &[&FoundList<'_>], found: &[FoundList<'_>], tables: &BTreeSet<String>) -> Vec<ChildList> {
    let child = |list: &&FoundList<'_>| {
        let (parameter, table) = match paths::last_parameter(&list.endpoint.path) {
            Some((parameter, before)) => {
                let above = found.iter().find(|list| list.endpoint.path == before);
                let table = above.map(|above| names::table(above.resource_id));
                (parameter.to_owned(), table)
            }
            None => {
                let need = list.needs().find_map(|need| Some((need, parent(list, need, found)?)));
                need.map(|(parameter, id)| (parameter.to_owned(), Some(names::table(id))))?
            }
        };
        let parent_table = table.filter(|table| tables.contains(table));
        Some(ChildList { list: list.endpoint.clone(), parent_parameter: parameter, parent_table })
    };
    own.iter().filter(|list| !lists::is_old_path(&list.endpoint.path)).filter_map(child).collect()
}

/// The listed resource that a required query parameter of `list` names: of the list's own family
/// (`card` of `issuing.token` is an `issuing.card`), else the one of that very name.
fn parent<'a>(list: &FoundList<'_>, parameter: &str, found: &[FoundList<'a>]) -> Option<&'a str> {
    let family = list.resource_id.rsplit_once('.').map(|(family, _)| format!("{family}.{parameter}"));
    let named = |name: &str| found.iter().map(|list| list.resource_id).find(|id| *id == name);
    let known = lists::parent_by_query(&list.endpoint.path).filter(|(name, _)| *name == parameter);
    known
        .and_then(|(_, id)| named(id))
        .or_else(|| family.and_then(|id| named(&id)))
        .or_else(|| named(parameter))
}
