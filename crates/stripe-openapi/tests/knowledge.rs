//! Every entry of the hand-kept knowledge names something that exists.

use std::sync::Arc;

use stripe_openapi::knowledge::children::{CHILD_STREAMS, Origin};
use stripe_openapi::knowledge::events::{NOT_DELETES, SUBJECTS, UNRELIABLE_EVENTS};
use stripe_openapi::knowledge::lists::{
    HIDDEN_ROWS, NESTED_ON_REQUEST, OLD_LIST_PATHS, Remedy, UNDOCUMENTED_PARENTS, always_sent,
    is_nested_on_request,
};
use stripe_openapi::knowledge::names::{EARLY_RESOURCE_IDS, MIXED_LISTS, TABLE_ALIASES, table};
use stripe_openapi::knowledge::permissions::{self, PERMISSIONS};
use stripe_openapi::knowledge::refusals::{REFUSALS, Scope};
use stripe_openapi::{Catalog, embedded};

fn newest() -> Arc<Catalog> {
    embedded::catalog(embedded::newest_version()).expect("the newest version is embedded")
}

/// What each hidden row's remedy relies on exists in the newest version.
#[test]
fn lists_that_hide_rows_exist_and_take_the_remedy() {
    let catalog = newest();
    for entry in HIDDEN_ROWS {
        let resource = catalog.resource(entry.table).unwrap_or_else(|| panic!("no table {}", entry.table));
        let list = resource.list.as_ref().unwrap_or_else(|| panic!("{} cannot be listed", entry.table));
        assert_eq!(list.path, entry.path);
        match entry.remedy {
            Remedy::Send(name, value) => {
                let parameter = list.parameters.iter().find(|parameter| parameter.name == name).unwrap();
                assert!(
                    parameter.values.iter().any(|known| known == value),
                    "{} has no {name}={value}",
                    entry.path
                );
            }
            Remedy::ListAgain(name, _) => assert!(list.takes(name), "{} takes no {name}", entry.path),
            Remedy::ListAgainForEach { parameter, table } => {
                assert!(list.takes(parameter), "{} takes no {parameter}", entry.path);
                assert!(catalog.resource(table).is_some_and(|clocks| clocks.list.is_some()));
            }
            Remedy::ListUnder(parent) => {
                let under =
                    resource.child_lists.iter().any(|child| child.parent_table.as_deref() == Some(parent));
                assert!(under, "{} is not listed under {parent}", entry.table);
            }
            Remedy::Retrieve(path) => assert!(path.starts_with("/v1/")),
            Remedy::Nothing => assert!(resource.retrieve_path.is_some()),
        }
    }
}

/// Whatever must always be sent is known in every version that offers the list with that parameter.
#[test]
fn subscriptions_are_asked_for_with_every_status_in_every_version() {
    assert_eq!(always_sent("/v1/subscriptions").collect::<Vec<_>>(), [("status", "all")]);
    assert_eq!(always_sent("/v1/charges").count(), 0);
    for version in embedded::versions() {
        let catalog = embedded::catalog(version).unwrap();
        let list = catalog.resource("subscription").unwrap().list.as_ref().unwrap();
        let status = list.parameters.iter().find(|parameter| parameter.name == "status").unwrap();
        assert!(status.values.iter().any(|value| value == "all"), "{version}");
    }
}

#[test]
fn lists_with_an_unsaid_parent_are_child_lists() {
    let catalog = newest();
    for entry in UNDOCUMENTED_PARENTS {
        let resource = catalog.resources.iter().find(|resource| {
            resource.child_lists.iter().any(|child| {
                child.list.path == entry.path
                    && child.parent_parameter == entry.parameter
                    && child.parent_table.as_deref() == Some(table(entry.parent).as_str())
            })
        });
        assert!(resource.is_some_and(|resource| resource.list.is_none()), "{}", entry.path);
    }
}

#[test]
fn child_streams_have_the_lists_they_are_filled_from() {
    let catalog = newest();
    assert!(CHILD_STREAMS.is_sorted_by_key(|child| (child.table, child.parent)));
    for child in CHILD_STREAMS {
        let resource = catalog.resource(child.table).unwrap_or_else(|| panic!("no table {}", child.table));
        let parent = catalog.resource(child.parent).unwrap_or_else(|| panic!("no table {}", child.parent));
        assert!(parent.list.is_some(), "the parent {} cannot be listed", child.parent);
        match child.origin {
            Origin::Nested(property) => {
                let nested =
                    parent.nested_list(property).unwrap_or_else(|| panic!("{}.{property}", child.parent));
                assert_eq!(nested.item_table.as_deref(), Some(child.table));
            }
            Origin::List(path) => {
                let list = resource.child_lists.iter().find(|list| list.list.path == path);
                let list = list.unwrap_or_else(|| panic!("{} is not listed at {path}", child.table));
                assert_eq!(list.parent_table.as_deref(), Some(child.parent));
                assert_eq!(list.further_required().count(), 0, "{path} needs more than its parent");
            }
        }
    }
}

/// No child table is forgotten: each is filled from its parents, or known to be impossible to fill.
#[test]
fn every_table_of_the_newest_version_can_be_filled() {
    const CANNOT: [&str; 5] = [
        // Needs a span of time that the document cannot tell.
        "billing_meter_event_summary",
        // Needs an ownership id beside the account.
        "financial_connections_account_owner",
        // Sources, calculations and transactions cannot be listed.
        "source_transaction",
        "tax_calculation_line_item",
        "tax_transaction_line_item",
    ];
    for resource in newest().resources.iter().filter(|resource| resource.list.is_none()) {
        let table = resource.table.as_str();
        let filled = CHILD_STREAMS.iter().any(|child| child.table == table);
        assert!(
            filled != CANNOT.contains(&table),
            "{table}: say in CHILD_STREAMS how it is filled, or why it cannot be"
        );
    }
}

#[test]
fn nested_lists_that_must_be_asked_for_exist() {
    let catalog = newest();
    for entry in NESTED_ON_REQUEST {
        let resource = catalog.resource(entry.table).unwrap();
        assert!(resource.nested_list(entry.property).is_some(), "{}.{}", entry.table, entry.property);
        assert!(entry.since.is_empty() || embedded::versions().contains(&entry.since), "{}", entry.since);
    }
    assert!(is_nested_on_request("charge", "refunds", "2026-10-28.endive"));
    assert!(!is_nested_on_request("charge", "refunds", "2022-08-01"));
    assert!(!is_nested_on_request("invoice", "lines", "2026-10-28.endive"));
}

#[test]
fn events_that_are_told_apart_exist() {
    let catalog = newest();
    let known = |name: &str| {
        catalog.resources.iter().flat_map(|resource| &resource.events).any(|event| event.name == name)
    };
    // Discounts are no resource of the catalog, so nothing carries this event.
    let without_table = "customer.discount.deleted";
    for entry in NOT_DELETES {
        assert!(known(entry.event) != (entry.event == without_table), "{}", entry.event);
    }
    for (subject, id) in SUBJECTS {
        let resource = catalog.resource(&table(id)).unwrap_or_else(|| panic!("no resource {id}"));
        assert!(resource.events.iter().any(|event| event.name.starts_with(subject)), "{subject}");
    }
    for entry in UNRELIABLE_EVENTS {
        let resource = catalog.resource(entry.table).unwrap_or_else(|| panic!("no table {}", entry.table));
        assert!(resource.supports_realtime(), "{} has no events at all", entry.table);
    }
}

#[test]
fn names_are_those_of_some_version() {
    let resource_in = |version: &str, id: &str| {
        embedded::catalog(version).unwrap().resources.iter().any(|resource| resource.resource_id == id)
    };
    for (id, table_name) in TABLE_ALIASES {
        assert!(resource_in(embedded::newest_version(), id), "{id}");
        assert_eq!(table(id), table_name);
    }
    for (property, id) in MIXED_LISTS {
        assert!(resource_in("2017-08-15", id), "{property}");
    }
    for (early, id) in EARLY_RESOURCE_IDS {
        // Recipients are deprecated, their list is left out.
        let listed = resource_in("2017-08-15", id) || resource_in("2018-05-21", id);
        assert!(listed != (id == "recipient"), "{early}");
        assert!(embedded::versions().iter().all(|version| !resource_in(version, early)), "{early}");
    }
}

/// Old paths stay out wherever Stripe offers the newer ones.
#[test]
fn old_paths_are_used_only_where_there_is_no_other() {
    for version in embedded::versions() {
        let catalog = embedded::catalog(version).unwrap();
        for (resource, list) in
            catalog.listable().filter(|(_, list)| OLD_LIST_PATHS.contains(&list.path.as_str()))
        {
            assert_eq!(
                (resource.table.as_str(), list.path.as_str()),
                ("balance_transaction", "/v1/balance/history")
            );
            assert!(*version < "2019-05-16", "{version}");
        }
    }
}

#[test]
fn refusals_concern_tables_that_exist() {
    let catalog = newest();
    for refusal in REFUSALS {
        let concerned = catalog.resources.iter().any(|resource| refusal.scope.contains(&resource.table));
        assert!(concerned, "nothing is refused by `{}`", refusal.fragment);
        assert!(refusal.scope == Scope::Any || !refusal.scope.contains("customer"));
    }
}

/// Old versions have tables that are gone: each entry is a table of some version.
#[test]
fn every_table_of_the_newest_version_has_a_permission() {
    assert!(PERMISSIONS.is_sorted_by_key(|permission| permission.table));
    for resource in &newest().resources {
        let table = resource.table.as_str();
        assert!(
            permissions::of_table(table).is_some(),
            "{table}: say in PERMISSIONS what a key needs to read it"
        );
    }
    let catalogs: Vec<Arc<Catalog>> =
        embedded::versions().iter().map(|version| embedded::catalog(version).unwrap()).collect();
    for permission in PERMISSIONS {
        let known = catalogs.iter().any(|catalog| catalog.resource(permission.table).is_some());
        assert!(known, "no version has {}", permission.table);
    }
}
