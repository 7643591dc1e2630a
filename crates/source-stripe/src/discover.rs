//! Which streams there are.

use protocol::{CatalogMessage, Message, Payload, Stream};
use serde_json::{Map, Value, json};
use stripe_openapi::knowledge::children::shares_ids;
use stripe_openapi::{Catalog, ListEndpoint, Resource, projection};

use crate::children::{self, Feed, Parent};

/// The `catalog` message of [`streams`].
pub(crate) fn catalog_message(catalog: &Catalog, accounts: &[String], provenance: bool) -> Message {
    Payload::Catalog(streams(catalog, accounts, provenance)).into()
}

/// What there is: one stream for each list that needs no parent, then one for each table that is filled
/// from the rows of others. Rows are of these accounts; of any without them.
///
/// With `provenance` all rows say what wrote them.
pub(crate) fn streams(catalog: &Catalog, accounts: &[String], provenance: bool) -> CatalogMessage {
    let own = catalog.listable().map(|(resource, list)| {
        let mut stream = stream(resource, list, accounts);
        // Rows that the list hides are wanted all the same, whatever they cost.
        if let Some(cost) = cost(&children::parents_of(catalog, resource)) {
            stream.metadata.get_or_insert_default().insert("cost".to_owned(), cost.into());
        }
        stream
    });
    let children = catalog.resources.iter().filter(|resource| resource.list.is_none());
    let children = children.filter_map(|resource| child_stream(catalog, resource, accounts));
    let mut streams: Vec<Stream> = own.chain(children).collect();
    if provenance {
        let schemas = streams.iter_mut().filter_map(|stream| stream.json_schema.as_mut());
        for properties in schemas.filter_map(|schema| schema.get_mut("properties")?.as_object_mut()) {
            properties.insert("_source".to_owned(), json!({"type": "string"}));
        }
    }
    CatalogMessage { streams }
}

fn stream(resource: &Resource, list: &ListEndpoint, accounts: &[String]) -> Stream {
    let mut schema = projection::json_schema(resource);
    // Rows of other accounts do not belong into this stream.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let id = match accounts {
            [] => json!({"type": "string"}),
            accounts => json!({"type": "string", "enum": accounts}),
        };
        properties.insert("_account_id".to_owned(), id);
    }
    let mut metadata = Map::new();
    metadata.insert("resource_name".to_owned(), resource.table.as_str().into());
    metadata.insert("supports_realtime_sync".to_owned(), resource.supports_realtime().into());
    metadata.insert("supports_time_range".to_owned(), list.filters_created().into());
    Stream {
        name: resource.table.as_str().into(),
        primary_key: vec![vec!["id".to_owned()], vec!["_account_id".to_owned()]],
        newer_than_field: "_updated_at".to_owned(),
        json_schema: Some(schema),
        metadata: Some(metadata),
        soft_delete_field: None,
    }
}

/// The stream of a table whose rows exist only under those of others.
fn child_stream(catalog: &Catalog, resource: &Resource, accounts: &[String]) -> Option<Stream> {
    let parents = children::parents_of(catalog, resource);
    let first = parents.first()?;
    let mut stream = stream(resource, first.list, accounts);
    let properties = stream.json_schema.as_mut().and_then(|schema| schema.get_mut("properties"));
    if let Some(properties) = properties.and_then(Value::as_object_mut) {
        properties.insert("_parent_id".to_owned(), json!({"type": "string"}));
    }
    if shares_ids(&resource.table, &catalog.api_version) {
        stream.primary_key.push(vec!["_parent_id".to_owned()]);
    }
    let metadata = stream.metadata.get_or_insert_default();
    let names: Vec<&str> = parents.iter().map(|parent| parent.resource.table.as_str()).collect();
    let cost = cost(&parents);
    metadata.insert("parents".to_owned(), names.into());
    metadata.insert("origin".to_owned(), if cost.is_none() { "nested" } else { "list" }.into());
    if let Some(cost) = cost {
        metadata.insert("selected_by_default".to_owned(), false.into());
        metadata.insert("cost".to_owned(), cost.into());
    }
    Some(stream)
}

/// What reading a table costs besides its parents' lists, if anything.
fn cost(parents: &[Parent<'_>]) -> Option<String> {
    let asked = parents.iter().filter(|parent| matches!(parent.feed, Feed::Under(_)));
    let names: Vec<&str> = asked.map(|parent| parent.resource.table.as_str()).collect();
    (!names.is_empty()).then(|| format!("a request for each {}", names.join(" and ")))
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    fn streams(version: &str) -> Vec<Stream> {
        told(version, false)
    }

    fn told(version: &str, provenance: bool) -> Vec<Stream> {
        let message =
            catalog_message(&embedded::catalog(version).unwrap(), &["acct_1".to_owned()], provenance);
        let Payload::Catalog(catalog) = message.payload else { panic!("{message:?}") };
        catalog.streams
    }

    #[test]
    fn every_list_is_a_stream_in_every_version() {
        for version in embedded::versions() {
            let streams = streams(version);
            assert!(streams.len() >= 20, "{version}: {}", streams.len());
            for stream in &streams {
                let schema = stream.json_schema.as_ref().unwrap();
                assert_eq!(schema["properties"]["_account_id"]["enum"], json!(["acct_1"]), "{version}");
            }
        }
    }

    #[test]
    fn rows_say_where_they_come_from_on_request_only() {
        for provenance in [false, true] {
            for stream in told(embedded::newest_version(), provenance) {
                let has = stream.json_schema.unwrap()["properties"].get("_source").is_some();
                assert_eq!(has, provenance, "{}", stream.name);
            }
        }
    }

    #[test]
    fn children_tell_their_parents_and_what_they_cost() {
        let streams = streams(embedded::newest_version());
        let child = |name: &str| streams.iter().find(|stream| &*stream.name == name).unwrap();
        let items = child("subscription_item");
        assert_eq!(
            items.json_schema.as_ref().unwrap()["properties"]["_parent_id"],
            json!({"type": "string"})
        );
        assert_eq!(items.primary_key, [["id"], ["_account_id"]]);
        let metadata = items.metadata.as_ref().unwrap();
        assert_eq!((&metadata["origin"], &metadata["parents"]), (&json!("nested"), &json!(["subscription"])));
        assert!(!metadata.contains_key("selected_by_default"));
        let persons = child("person").metadata.as_ref().unwrap();
        assert_eq!((&persons["origin"], &persons["selected_by_default"]), (&json!("list"), &json!(false)));
        assert_eq!(persons["cost"], "a request for each account");
        assert_eq!(child("capability").primary_key.len(), 3);
        assert!(streams.iter().all(|stream| &*stream.name != "tax_calculation_line_item"));
    }

    #[test]
    fn lines_of_old_versions_are_told_apart_by_their_invoice() {
        let line = |version: &str| {
            let streams = streams(version);
            streams.into_iter().find(|stream| &*stream.name == "line_item").map(|line| line.primary_key.len())
        };
        assert_eq!(line("2019-11-05"), Some(3));
        assert_eq!(line("2019-12-03"), Some(2));
    }

    #[test]
    fn streams_without_events_say_so() {
        let streams = streams(embedded::newest_version());
        let metadata = |name: &str| {
            let stream = streams.iter().find(|stream| &*stream.name == name);
            Value::from(stream.unwrap_or_else(|| panic!("no stream {name}")).metadata.clone().unwrap())
        };
        assert_eq!(
            metadata("customer"),
            json!({"resource_name": "customer", "supports_realtime_sync": true, "supports_time_range": true})
        );
        assert_eq!(metadata("tax_code")["supports_realtime_sync"], false);
        assert_eq!(metadata("tax_code")["supports_time_range"], false);
        assert_eq!(metadata("balance_transaction")["supports_time_range"], true);
    }
}
