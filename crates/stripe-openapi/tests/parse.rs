//! Parsing, on small documents of both shapes: Stripe's own, and those derived from an SDK.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stripe_openapi::{Catalog, ColumnType, Error, ListStyle, parse};

/// A GET that answers a list of `items`, with query parameters; `!` at the end of a name requires it.
fn list(items: Value, query: &[&str]) -> Value {
    let parameter = |name: &&str| {
        let required = name.ends_with('!');
        json!({"in": "query", "name": name.trim_end_matches('!'), "required": required, "schema": {"type": "string"}})
    };
    let parameters: Vec<Value> = query.iter().map(parameter).collect();
    json!({"get": {"parameters": parameters, "responses": {"200": {"content": {"application/json": {"schema":
        envelope(items)
    }}}}}})
}

fn envelope(items: Value) -> Value {
    let mut schema = json!({"type": "object", "properties": {
        "object": {"type": "string", "enum": ["list"]},
        "data": {"type": "array"},
        "has_more": {"type": "boolean"}
    }});
    schema["properties"]["data"]["items"] = items;
    schema
}

fn one(schema: &str) -> Value {
    let answer = json!({"anyOf": [reference(schema), reference("deleted_thing")]});
    json!({"get": {"responses": {"200": {"content": {"application/json": {"schema": answer}}}}}})
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn resource(id: &str, properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"x-resourceId": id, "type": "object", "required": required});
    schema["properties"] = properties;
    schema
}

fn document(paths: Value, schemas: Value) -> Value {
    let mut document = json!({"openapi": "3.0.0", "info": {"version": "2020-08-27"}, "components": {}});
    document["paths"] = paths;
    document["components"]["schemas"] = schemas;
    document
}

/// As Stripe writes them: `deleted_…` schemas, expandable references, event types in an enum.
fn official() -> Value {
    let webhooks = json!({"post": {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema":
        {"properties": {"enabled_events": {"type": "array", "items": {"enum":
            ["*", "invoice.created", "invoice.deleted", "customer.subscription.deleted", "issuing_card.updated",
             "financial_connections.account.created", "account.updated"]}}}}}}}}});
    let invoice = json!({
        "id": {"type": "string"},
        "amount": {"type": "integer"},
        "customer": {
            "anyOf": [{"type": "string"}, reference("customer")],
            "nullable": true,
            "x-expansionResources": {"oneOf": [reference("customer")]}
        },
        "deleted": {"type": "boolean"},
        "lines": envelope(reference("line_item")),
        "rate": {"type": "number"},
        "history": {"type": "object", "properties": {"data": {"type": "array", "items": {"type": "string"}}}},
        "when": {"type": "string", "format": "date-time"},
        "mixed": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "half": {"anyOf": [envelope(reference("line_item")), {"type": "string"}]},
        "whole": {"anyOf": [envelope(reference("line_item")), reference("lines")], "nullable": true}
    });
    document(
        json!({
            "/v1/accounts": list(reference("account"), &["limit"]),
            "/v1/accounts/{account}/external_accounts":
                list(json!({"anyOf": [reference("card"), reference("bank")]}), &["limit"]),
            "/v1/account/external_accounts": list(json!({"anyOf": [reference("card"), reference("bank")]}), &[]),
            "/v1/financial_connections/accounts": list(reference("fc_account"), &["limit"]),
            "/v1/invoices": list(reference("invoice"), &["limit", "created", "status", "expand"]),
            "/v1/invoices/upcoming/lines": list(reference("line_item"), &["limit"]),
            "/v1/invoices/{invoice}": one("invoice"),
            "/v1/invoices/{invoice}/lines": list(reference("line_item"), &["limit"]),
            "/v1/issuing/cards": list(reference("issuing.card"), &["limit"]),
            "/v1/issuing/tokens": list(reference("issuing.token"), &["card!", "limit"]),
            "/v1/old": {"get": {"deprecated": true, "responses": list(reference("old"), &[])["get"]["responses"]}},
            "/v1/older": {"get": {"description": "<p>[Deprecated] Gone.</p>",
                "responses": list(reference("old"), &[])["get"]["responses"]}},
            "/v1/recipients": list(reference("old"), &[]),
            "/v1/search": list(reference("invoice"), &["query!"]),
            "/v1/subscriptions": list(reference("subscription"), &["status"]),
            "/v1/webhook_endpoints": webhooks,
        }),
        json!({
            "account": resource("account", json!({"id": {"type": "string"}}), &["id"]),
            "bank": resource("bank_account", json!({"bank": {"type": "string"}, "country": {"type": "string"}}), &["bank", "country"]),
            "card": resource("card", json!({"last4": {"type": "string"}, "country": {"type": "string"}}), &["last4", "country"]),
            "customer": resource("customer", json!({}), &[]),
            "deleted_thing": {"type": "object", "properties": {"deleted": {"type": "boolean"}}},
            "fc_account": resource("financial_connections.account", json!({}), &[]),
            "invoice": resource("invoice", invoice, &["amount", "lines", "mixed"]),
            "issuing.card": resource("issuing.card", json!({}), &[]),
            "issuing.token": resource("issuing.token", json!({}), &[]),
            "line_item": resource("line_item", json!({"parent": reference("line_item")}), &[]),
            "lines": envelope(reference("line_item")),
            "old": resource("old", json!({}), &[]),
            "subscription": resource("subscription", json!({}), &[]),
        }),
    )
}

/// As derived from an SDK: event schemas, v2 lists, `nullable` for whatever is optional.
fn derived() -> Value {
    let v2_list = json!({"get": {
        "parameters": [
            {"in": "query", "name": "page", "required": false, "schema": {"type": "string"}},
            {"in": "query", "name": "status", "required": false, "schema": {"type": "string", "enum": ["b", "a", ""]}}
        ],
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {
            "data": {"type": "array", "items": reference("v2.core.account")},
            "next_page_url": {"type": "string", "nullable": true}
        }}}}}}
    }});
    let event = |name: &str, object: Value| json!({"x-stripeEvent": {"type": name}, "type": "object", "properties": object});
    document(
        json!({
            "/v1/accounts": list(reference("account"), &["limit"]),
            "/v1/checkout/sessions/{session}/line_items": list(reference("item"), &["limit"]),
            "/v2/core/accounts": v2_list,
        }),
        json!({
            "account": resource("account", json!({"email": {"type": "string", "nullable": true}}), &[]),
            "e1": event("account.updated", json!({"object": reference("account")})),
            "e2": event("v2.core.account[configuration.customer].updated", json!({})),
            "e3": event("issuing_dispute.closed", json!({"object": reference("account")})),
            "item": resource("item", json!({}), &[]),
            "v2.core.account": resource("v2.core.account", json!({"created": {"type": "string", "format": "date-time"}}), &["created"]),
        }),
    )
}

fn parsed(document: &Value) -> Catalog {
    parse::catalog(document).expect("the document parses")
}

fn tables(catalog: &Catalog) -> Vec<&str> {
    catalog.resources.iter().map(|resource| resource.table.as_str()).collect()
}

#[test]
fn lists_come_first_by_path_and_child_tables_last() {
    let catalog = parsed(&official());
    let listable: Vec<&str> = catalog.listable().map(|(resource, _)| resource.table.as_str()).collect();
    assert_eq!(
        listable,
        ["account", "financial_connections_account", "invoice", "issuing_card", "subscription"]
    );
    assert_eq!(tables(&catalog)[5..], ["external_account", "issuing_token", "line_item"]);
}

#[test]
fn a_list_tells_its_parameters_and_where_one_object_is_read() {
    let catalog = parsed(&official());
    let invoice = catalog.resource("invoice").unwrap();
    let list = invoice.list.as_ref().unwrap();
    assert_eq!((list.path.as_str(), list.style), ("/v1/invoices", ListStyle::V1));
    let names: Vec<&str> = list.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["created", "expand", "limit", "status"]);
    assert!(list.filters_created());
    assert_eq!(invoice.retrieve_path.as_deref(), Some("/v1/invoices/{invoice}"));
}

#[test]
fn columns_leave_out_reserved_names_and_lists() {
    let catalog = parsed(&official());
    let invoice = catalog.resource("invoice").unwrap();
    let columns: Vec<_> = invoice
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.column_type, column.nullable, column.expandable))
        .collect();
    assert_eq!(
        columns,
        [
            ("amount", ColumnType::BigInt, false, false),
            ("customer", ColumnType::Json, true, true),
            ("half", ColumnType::Json, true, false),
            ("history", ColumnType::Json, true, false),
            ("mixed", ColumnType::Text, false, false),
            ("rate", ColumnType::Numeric, true, false),
            ("when", ColumnType::Timestamp, true, false),
        ]
    );
    let nested: Vec<_> = invoice
        .nested_lists
        .iter()
        .map(|nested| (nested.property.as_str(), nested.item_table.as_deref()))
        .collect();
    assert_eq!(nested, [("lines", Some("line_item")), ("whole", Some("line_item"))]);
}

#[test]
fn child_lists_name_their_parent_in_path_or_query() {
    let catalog = parsed(&official());
    let child = |table: &str| {
        let children = &catalog.resource(table).unwrap().child_lists;
        assert_eq!(children.len(), 1, "{table}");
        let child = &children[0];
        (child.parent_in_path(), child.parent_parameter.clone(), child.parent_table.clone())
    };
    assert_eq!(child("line_item"), (true, "invoice".into(), Some("invoice".into())));
    assert_eq!(child("external_account"), (true, "account".into(), Some("account".into())));
    assert_eq!(child("issuing_token"), (false, "card".into(), Some("issuing_card".into())));
}

#[test]
fn items_of_a_mixed_list_have_the_columns_of_all_its_resources() {
    let catalog = parsed(&official());
    let columns = &catalog.resource("external_account").unwrap().columns;
    let columns: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.nullable)).collect();
    assert_eq!(columns, [("bank", true), ("country", false), ("last4", true)]);
}

#[test]
fn events_go_to_the_resource_that_they_name() {
    let catalog = parsed(&official());
    let events = |table: &str| -> Vec<(&str, bool)> {
        let events = &catalog.resource(table).unwrap().events;
        events.iter().map(|event| (event.name.as_str(), event.deletes)).collect()
    };
    assert_eq!(events("invoice"), [("invoice.created", false), ("invoice.deleted", true)]);
    assert_eq!(events("subscription"), [("customer.subscription.deleted", false)]);
    assert_eq!(events("issuing_card"), [("issuing_card.updated", false)]);
    assert_eq!(events("account"), [("account.updated", false)]);
    assert_eq!(events("financial_connections_account"), [("financial_connections.account.created", false)]);
}

#[test]
fn derived_documents_parse_too() {
    let catalog = parsed(&derived());
    assert_eq!(tables(&catalog), ["account", "v2_core_account", "checkout_session_line_item"]);
    let account = catalog.resource("account").unwrap();
    let names: Vec<&str> = account.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["account.updated", "issuing_dispute.closed"], "what the schema says counts");
    assert!(account.supports_realtime());
    let v2 = catalog.resource("v2_core_account").unwrap();
    assert_eq!(v2.list.as_ref().unwrap().style, ListStyle::V2);
    assert_eq!(v2.list.as_ref().unwrap().parameters[1].values, ["a", "b"]);
    assert_eq!(v2.events[0].name, "v2.core.account[configuration.customer].updated");
    assert_eq!(v2.columns[0].column_type, ColumnType::Timestamp);
    let item = catalog.resource("checkout_session_line_item").unwrap();
    assert_eq!(item.child_lists[0].parent_table, None, "sessions are not listed here");
    assert!(!item.supports_realtime());
}

#[test]
fn a_document_without_event_types_takes_the_usual_ones() {
    let mut document = official();
    document["paths"]["/v1/webhook_endpoints"] = json!({});
    assert!(parsed(&document).resources.iter().all(|resource| !resource.supports_realtime()));
    let usual = ["invoice.updated".to_owned()];
    let catalog = parse::catalog_with_events(&document, &usual).unwrap();
    assert_eq!(catalog.resource("invoice").unwrap().events[0].name, "invoice.updated");
    assert_eq!(parse::event_types(&official()).unwrap().len(), 6);
}

#[test]
fn circular_schemas_end() {
    let mut document = official();
    let schemas = &mut document["components"]["schemas"];
    schemas["loop"] = reference("loop");
    schemas["invoice"]["properties"]["loop"] = reference("loop");
    schemas["invoice"]["properties"]["knot"] = json!({"anyOf": [reference("knot")]});
    schemas["knot"] = json!({"anyOf": [reference("knot"), {"type": "string"}]});
    schemas["line_item"]["allOf"] = json!([reference("line_item")]);
    let catalog = parsed(&document);
    let invoice = catalog.resource("invoice").unwrap();
    assert!(
        invoice.columns.iter().any(|column| column.name == "loop" && column.column_type == ColumnType::Json)
    );
}

#[test]
fn what_is_no_document_is_refused_with_what_is_missing() {
    let reason = |text: &str| match parse::catalog_from_slice(text.as_bytes()) {
        Err(Error::NotADocument { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason("<html>").contains("line 1"));
    assert_eq!(reason("{}"), "`openapi` is missing");
    assert_eq!(reason(r#"{"openapi": "3", "info": {}}"#), "`info.version` is missing");
    assert_eq!(reason(r#"{"openapi": "3", "info": {"version": "1"}}"#), "`components.schemas` is missing");
}

/// The same document with the keys of every object in another order.
fn shuffled(value: &Value, seed: u64) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(name, _)| {
                name.bytes()
                    .fold(seed | 1, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15))
            });
            let entries = entries.into_iter().map(|(name, value)| (name.clone(), shuffled(value, seed)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| shuffled(item, seed)).collect(),
        scalar => scalar.clone(),
    }
}

proptest! {
    #[test]
    fn the_order_of_keys_does_not_matter(seed: u64) {
        for document in [official(), derived()] {
            prop_assert_eq!(parsed(&shuffled(&document, seed)), parsed(&document));
        }
    }
}
