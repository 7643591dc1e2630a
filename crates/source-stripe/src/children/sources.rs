//! Which lists of which parents fill a child table.

use std::sync::Arc;

use stripe_openapi::knowledge::children::{Origin, origins};
use stripe_openapi::knowledge::lists::{self, Remedy};
use stripe_openapi::{Catalog, ChildList, ListEndpoint, ListStyle, Resource};

use super::under::Under;
use crate::page::Shape;

/// How the rows of a child table are had from the rows of its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feed {
    /// They are in this nested list of each parent.
    Nested {
        property: Arc<str>,
        /// Whether parents have the list only if the request expands it.
        on_request: bool,
        /// Whether rows tell their parent by `_parent_id`.
        names_parent: bool,
    },
    /// They are listed under each parent.
    Under(Arc<Under>),
}

/// A parent of a child table.
#[derive(Debug, Clone)]
pub(crate) struct Parent<'c> {
    pub(crate) resource: &'c Resource,
    pub(crate) list: &'c ListEndpoint,
    pub(crate) feed: Feed,
}

/// The parents that fill `resource` at the version of `catalog`: of a table without a list of its own all that
/// are known, of one with a list those whose child lists show what its own hides (fidelity C2).
pub(crate) fn parents_of<'c>(catalog: &'c Catalog, resource: &'c Resource) -> Vec<Parent<'c>> {
    let hidden_under = |parent: &str| {
        lists::hidden_rows(&resource.table, &catalog.api_version)
            .any(|hidden| matches!(hidden.remedy, Remedy::ListUnder(under) if under == parent))
    };
    let own_list = resource.list.is_some();
    origins(&resource.table)
        .filter(|origin| !own_list || hidden_under(origin.parent))
        .filter_map(|origin| {
            let parent = catalog.resource(origin.parent)?;
            let list = parent.list.as_ref()?;
            let feed = match origin.origin {
                Origin::Nested(property) => nested(catalog, resource, parent, property)?,
                Origin::List(path) => under(resource, parent, |own| shape(own) == shape(path))?,
            };
            Some(Parent { resource: parent, list, feed })
        })
        .collect()
}

/// Whether the rows of the table can be had at all.
pub(crate) fn can_be_filled(catalog: &Catalog, resource: &Resource) -> bool {
    resource.list.is_some() || !parents_of(catalog, resource).is_empty()
}

/// Whether the stream is filled from the list of connected accounts, which may be older than the account that
/// they are connected to.
pub(crate) fn lists_accounts(catalog: &Catalog, resource: &Resource) -> bool {
    let account = |resource: &Resource| resource.table == "account";
    account(resource) || parents_of(catalog, resource).iter().any(|parent| account(parent.resource))
}

/// The one parent whose plain objects hold all rows of the table, and the property that holds them.
pub(crate) fn within<'c>(catalog: &'c Catalog, resource: &'c Resource) -> Option<(&'c str, Arc<str>)> {
    let parents = parents_of(catalog, resource);
    match &parents[..] {
        [Parent { resource: parent, feed: Feed::Nested { property, on_request: false, .. }, .. }]
            if resource.list.is_none() =>
        {
            Some((&parent.table, Arc::clone(property)))
        }
        _ => None,
    }
}

/// The one parent among whose objects, and nowhere else but in the table's own list, its rows are; and how they are had.
pub(crate) fn shown_by<'c>(catalog: &'c Catalog, resource: &'c Resource) -> Option<(&'c str, Feed)> {
    let parents = parents_of(catalog, resource);
    let [Parent { resource: parent, feed: feed @ Feed::Nested { .. }, .. }] = &parents[..] else {
        return None;
    };
    Some((&parent.table, feed.clone()))
}

fn nested(catalog: &Catalog, resource: &Resource, parent: &Resource, property: &str) -> Option<Feed> {
    let list = parent.nested_list(property)?;
    (list.item_table.as_deref() == Some(resource.table.as_str())).then(|| Feed::Nested {
        property: property.into(),
        on_request: lists::is_nested_on_request(&parent.table, property, &catalog.api_version),
        names_parent: resource.list.is_none(),
    })
}

fn under(resource: &Resource, parent: &Resource, is_it: impl Fn(&str) -> bool) -> Option<Feed> {
    let of_parent = |list: &&ChildList| list.parent_table.as_deref() == Some(parent.table.as_str());
    let list = resource.child_lists.iter().filter(of_parent).find(|list| is_it(&list.list.path))?;
    listed_under(resource, list).map(Feed::Under)
}

fn of_list(child: &ChildList, plain: bool) -> Under {
    let list = &child.list;
    let is_v1 = list.style == ListStyle::V1;
    Under {
        path: list.path.as_str().into(),
        parameter: (!child.parent_in_path()).then(|| child.parent_parameter.clone()),
        shape: if is_v1 { Shape::V1 } else { Shape::V2 },
        takes_limit: list.takes("limit"),
        takes_cursor: list.takes(if is_v1 { "starting_after" } else { "page" }),
        always: lists::always_sent(&list.path)
            .filter(|(name, _)| list.takes(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        names_parent: !plain,
    }
}

/// The list under each parent of a child table, if the parent's id is all it needs.
pub(crate) fn listed_under(resource: &Resource, list: &ChildList) -> Option<Arc<Under>> {
    let holes = list.list.path.matches('{').count();
    let parent_only = list.further_required().next().is_none() && holes == usize::from(list.parent_in_path());
    parent_only.then(|| Arc::new(of_list(list, resource.list.is_some())))
}

/// The list under `parent` that holds what its nested list `property` does, where that must be asked for.
pub(crate) fn listed_in_place_of(
    resource: &Resource,
    parent: &Resource,
    property: &str,
) -> Option<Arc<Under>> {
    let mut lists = resource.child_lists.iter();
    let list = lists.find(|list| {
        list.parent_table.as_deref() == Some(parent.table.as_str())
            && list.list.path.ends_with(&format!("/{property}"))
    })?;
    listed_under(resource, list)
}

/// A path without the names of its holes, which differ between versions.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<&str>>().join("/")
}
