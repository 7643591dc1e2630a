//! Which streams there are.

use protocol::{CatalogMessage, Message, Payload, Stream};
use serde_json::{Map, Value, json};
use stripe_openapi::{Catalog, ListEndpoint, Resource, projection};

/// The `catalog` message: one stream for each list that needs no parent.
pub(crate) fn catalog_message(catalog: &Catalog, account_id: &str) -> Message {
    let streams = catalog.listable().map(|(resource, list)| stream(resource, list, account_id)).collect();
    Payload::Catalog(CatalogMessage { streams }).into()
}

fn stream(resource: &Resource, list: &ListEndpoint, account_id: &str) -> Stream {
    let mut schema = projection::json_schema(resource);
    // Rows of other accounts do not belong into this stream.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("_account_id".to_owned(), json!({"type": "string", "enum": [account_id]}));
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

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    fn streams(version: &str) -> Vec<Stream> {
        let message = catalog_message(&embedded::catalog(version).unwrap(), "acct_1");
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
