//! Which rows an event is about, and how they are read again.

use std::collections::HashMap;
use std::sync::Arc;

use stripe_openapi::knowledge::events::unreliable;
use stripe_openapi::{Catalog, ChildList, ListStyle, Resource};

use super::coverage::{Key, What};
use super::event::{Event, Subject};
use crate::children::{self, Feed, Under};
use crate::failure::ApiError;
use crate::hydrate;
use crate::landmarks::id_in;
use crate::page::Shape;

/// An event that lists what a customer is entitled to, without an id of its own.
const ENTITLEMENTS: &str = "entitlements.active_entitlement_summary.updated";

/// A table that events are about.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Its stream, if it is synced; otherwise only children of its rows are.
    pub(crate) stream: Option<Arc<str>>,
    /// Answers one object, with holes for its parent, if there is one in the path, and its id.
    pub(crate) retrieve: Option<String>,
    pub(crate) shape: Shape,
    /// Whether rows tell their parent by `_parent_id`.
    pub(crate) names_parent: bool,
    /// Lists under parents that show all rows of the table, with the property by which a row names that parent.
    pub(crate) under: Vec<(String, Arc<Under>)>,
    /// Streams whose rows are in or under the rows of this table and have no events that tell of them.
    pub(crate) children: Vec<Child>,
    /// Whether payloads of events are never used.
    pub(crate) always_read: bool,
    /// Fields that have to be asked for.
    pub(crate) expand: Vec<String>,
}

/// A child stream of a table.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) stream: Arc<str>,
    pub(crate) feed: ChildFeed,
}

/// Where the rows of a child stream are had from when their parent changed.
#[derive(Debug)]
pub(crate) enum ChildFeed {
    /// In this nested list of the parent.
    Nested(Arc<str>),
    /// In a list under the parent: a request or more.
    Listed(Arc<Under>),
}

/// All tables that matter to a read.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    tables: Vec<Table>,
    by_event: HashMap<String, usize>,
    by_object: HashMap<String, usize>,
    entitlements: Option<usize>,
}

/// An event's target, as far as the event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) key: Key,
    /// The parent of a row that has one, if the event tells it.
    pub(crate) parent: Option<String>,
}

impl Tables {
    /// The tables of `streams` and of their parents. Objects of the kinds in `revalidate` are always read again, and so
    /// are those with fields in `hydrate`, which events do not hold.
    pub(crate) fn new(
        catalog: &Catalog,
        streams: &[(Arc<str>, &Resource)],
        revalidate: &[String],
        hydrate: &[String],
    ) -> Tables {
        let mut tables = Tables::default();
        let stream_of = |table: &str| {
            streams.iter().find(|(_, resource)| resource.table == table).map(|(name, _)| Arc::clone(name))
        };
        for resource in &catalog.resources {
            let children = children_of(catalog, resource, streams);
            let stream = stream_of(&resource.table);
            if stream.is_none() && children.is_empty() {
                continue;
            }
            let list = resource.list.as_ref().or(resource.child_lists.first().map(|child| &child.list));
            let is_v2 = list.is_some_and(|list| list.style == ListStyle::V2);
            let at = tables.tables.len();
            let expand: Vec<String> =
                hydrate::fields_of(hydrate, &resource.table).map(str::to_owned).collect();
            tables.tables.push(Table {
                name: resource.table.clone(),
                stream,
                retrieve: resource.retrieve_path.clone(),
                shape: if is_v2 { Shape::V2 } else { Shape::V1 },
                names_parent: resource.list.is_none(),
                under: resource.child_lists.iter().filter_map(|list| listed(resource, list)).collect(),
                children,
                always_read: revalidate
                    .iter()
                    .any(|kind| *kind == resource.resource_id || *kind == resource.table)
                    || !expand.is_empty(),
                expand,
            });
            tables.by_object.insert(resource.resource_id.clone(), at);
            for event in &resource.events {
                // Of two tables that share an event type, the object's own kind decides.
                tables.by_event.entry(event.name.clone()).or_insert(at);
            }
            if resource.table == "active_entitlement" {
                tables.entitlements = Some(at);
            }
        }
        tables
    }

    pub(crate) fn table(&self, key: &Key) -> &Table {
        &self.tables[key.table]
    }

    /// The index of a table.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }

    /// The table at an index.
    pub(crate) fn at(&self, index: usize) -> &Table {
        &self.tables[index]
    }

    /// Whether events of the v2 API can be about something that is synced.
    pub(crate) fn any_v2(&self) -> bool {
        self.tables.iter().any(|table| table.shape == Shape::V2)
    }

    /// What an event is about, if that is synced.
    pub(crate) fn target(&self, event: &Event) -> Option<Target> {
        if event.kind == ENTITLEMENTS {
            let Subject::Shown { object, .. } = &event.subject else { return None };
            let customer = id_in(object, "customer")?;
            let key = Key { table: self.entitlements?, what: What::Under(customer) };
            return Some(Target { key, parent: None });
        }
        let (kind, id) = match &event.subject {
            Subject::Shown { kind, id, .. } => (kind, id.clone()?),
            Subject::Named { kind, id, .. } => (kind, id.clone()),
            Subject::Nothing => return None,
        };
        let at = *self.by_object.get(kind).or_else(|| self.by_event.get(&event.kind))?;
        let table = &self.tables[at];
        let parent = match &event.subject {
            Subject::Shown { object, .. } => {
                table.under.iter().find_map(|(name, _)| id_in(object, name)).filter(|_| table.names_parent)
            }
            Subject::Named { path, .. } => table.parent_in(path),
            Subject::Nothing => None,
        };
        let what = match (&parent, table.is_read_alone(&id, parent.as_deref())) {
            (Some(parent), false) if !table.under.is_empty() => What::Under(parent.clone()),
            _ => What::Row(id),
        };
        Some(Target { key: Key { table: at, what }, parent })
    }
}

impl Table {
    /// Whether objects matter as a whole, rather than for what is listed under them.
    pub(crate) fn needs_object(&self) -> bool {
        self.stream.is_some() || self.children.iter().any(|child| matches!(child.feed, ChildFeed::Nested(_)))
    }

    /// The path that answers the row.
    pub(crate) fn path_of(&self, id: &str, parent: Option<&str>) -> Option<String> {
        let path = self.retrieve.as_deref()?;
        let holes = path.matches('{').count();
        let fill = match (holes, parent) {
            (1, _) => vec![id],
            (2, Some(parent)) => vec![parent, id],
            _ => return None,
        };
        let mut fill = fill.into_iter();
        let segments = path
            .split('/')
            .map(|segment| if segment.starts_with('{') { fill.next().unwrap_or_default() } else { segment });
        Some(segments.collect::<Vec<&str>>().join("/"))
    }

    /// The list under parents of the kind that `parent` is of.
    pub(crate) fn listed_under(&self) -> Option<&Arc<Under>> {
        self.under.first().map(|(_, under)| under)
    }

    /// Whether the row is read by itself. Without a path of its own, or with an id that is unique under its parent only,
    /// it is read with its siblings.
    pub(crate) fn is_read_alone(&self, id: &str, parent: Option<&str>) -> bool {
        self.path_of(id, parent).is_some() && !self.shares_ids()
    }

    /// Whether a refusal to answer a row means that it is gone. Access to a connected account ends together with the
    /// account, or before it.
    pub(crate) fn says_gone(&self, error: &ApiError) -> bool {
        error.is_gone() || (self.name == "account" && error.refuses_account())
    }

    fn shares_ids(&self) -> bool {
        self.name == "capability"
    }

    /// The id of the parent in a path that answers a row.
    fn parent_in(&self, path: &str) -> Option<String> {
        let pattern = self.retrieve.as_deref().filter(|pattern| pattern.matches('{').count() == 2)?;
        let mut pairs = pattern.split('/').zip(path.split('/'));
        pairs.find(|(name, _)| name.starts_with('{')).map(|(_, id)| id.to_owned())
    }
}

/// The child streams that have to be read again with a row of `resource`.
fn children_of(catalog: &Catalog, resource: &Resource, streams: &[(Arc<str>, &Resource)]) -> Vec<Child> {
    let mut children = Vec::new();
    for (stream, child) in streams.iter().filter(|(_, child)| child.list.is_none()) {
        // What has reliable events of its own does not need its parent's.
        let tells = child.supports_realtime() && unreliable(&child.table).is_none();
        for parent in children::parents_of(catalog, child) {
            if parent.resource.table != resource.table {
                continue;
            }
            let feed = match parent.feed {
                Feed::Nested { property, on_request: false, .. } => ChildFeed::Nested(property),
                Feed::Nested { property, on_request: true, .. } => {
                    match children::listed_in_place_of(child, parent.resource, &property) {
                        Some(under) if !tells => ChildFeed::Listed(under),
                        _ => continue,
                    }
                }
                Feed::Under(under) if !tells => ChildFeed::Listed(under),
                Feed::Under(_) => continue,
            };
            children.push(Child { stream: Arc::clone(stream), feed });
        }
    }
    children
}

fn listed(resource: &Resource, list: &ChildList) -> Option<(String, Arc<Under>)> {
    children::listed_under(resource, list).map(|under| (list.parent_parameter.clone(), under))
}

#[cfg(test)]
mod tests {
    use protocol::RawJson;
    use stripe_openapi::embedded;

    use super::*;

    fn tables(names: &[&str]) -> Tables {
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        let streams: Vec<(Arc<str>, &Resource)> =
            names.iter().map(|name| (Arc::from(*name), catalog.resource(name).unwrap())).collect();
        Tables::new(&catalog, &streams, &["price".to_owned()], &[])
    }

    fn event(kind: &str, object: &serde_json::Value) -> Event {
        let event =
            serde_json::json!({"id": "evt_1", "type": kind, "created": 1, "data": {"object": object}});
        Event::read(&RawJson::from_value(&event).unwrap()).unwrap()
    }

    #[test]
    fn an_event_is_about_its_object() {
        let tables = tables(&["customer", "price", "refund", "charge"]);
        let target = |kind: &str, object: &str| {
            let event = event(kind, &serde_json::json!({"id": "x_1", "object": object}));
            tables.target(&event).map(|target| tables.table(&target.key).name.clone())
        };
        assert_eq!(target("customer.updated", "customer").as_deref(), Some("customer"));
        assert_eq!(target("charge.refund.updated", "refund").as_deref(), Some("refund"));
        assert_eq!(target("charge.refunded", "charge").as_deref(), Some("charge"));
        assert_eq!(target("product.updated", "product"), None, "not synced");
        let preview = event("customer.updated", &serde_json::json!({"object": "customer"}));
        assert_eq!(tables.target(&preview), None);
        let price = event("price.updated", &serde_json::json!({"id": "p", "object": "price"}));
        assert!(tables.table(&tables.target(&price).unwrap().key).always_read);
    }

    #[test]
    fn parents_matter_for_their_children_alone() {
        let tables = tables(&["subscription_item", "setup_attempt", "checkout_session_line_item"]);
        let table = |name: &str| tables.tables.iter().find(|table| table.name == name).unwrap();
        let subscription = table("subscription");
        assert_eq!(subscription.stream, None);
        assert!(
            matches!(&subscription.children[..], [Child { feed: ChildFeed::Nested(items), .. }] if &**items == "items")
        );
        assert!(matches!(&table("setup_intent").children[..], [Child { feed: ChildFeed::Listed(_), .. }]));
        for parent in ["checkout_session", "payment_link", "quote"] {
            let [Child { feed: ChildFeed::Listed(under), .. }] = &table(parent).children[..] else {
                panic!()
            };
            assert!(under.path.ends_with("/line_items"), "{}", under.path);
        }
    }

    #[test]
    fn children_know_their_parents() {
        let tables =
            tables(&["person", "payment_source", "external_account", "capability", "active_entitlement"]);
        let person = event(
            "person.updated",
            &serde_json::json!({"id": "person_1", "object": "person", "account": "acct_1"}),
        );
        let target = tables.target(&person).unwrap();
        assert_eq!(target.parent.as_deref(), Some("acct_1"));
        let path = tables.table(&target.key).path_of("person_1", target.parent.as_deref());
        assert_eq!(path.as_deref(), Some("/v1/accounts/acct_1/persons/person_1"));
        let what =
            |kind: &str, object: serde_json::Value| tables.target(&event(kind, &object)).unwrap().key.what;
        let card = serde_json::json!({"id": "card_1", "object": "card", "customer": "cus_1"});
        assert_eq!(what("customer.source.updated", card), What::Under("cus_1".to_owned()));
        let bank = serde_json::json!({"id": "ba_1", "object": "bank_account", "account": "acct_1"});
        assert_eq!(what("account.external_account.deleted", bank), What::Under("acct_1".to_owned()));
        let capability =
            serde_json::json!({"id": "card_payments", "object": "capability", "account": "acct_1"});
        assert_eq!(what("capability.updated", capability), What::Under("acct_1".to_owned()));
        let summary =
            serde_json::json!({"object": "entitlements.active_entitlement_summary", "customer": "cus_9"});
        assert_eq!(what(ENTITLEMENTS, summary), What::Under("cus_9".to_owned()));
    }
}
