//! The projection fits Stripe's own sample objects.
//!
//! `fixtures/samples.json` is the top level of the samples that Stripe publishes beside its documents
//! (`openapi/fixtures3.json` of github.com/stripe/openapi, MIT licence), cut down by `stripe-catalog samples`.

use serde_json::{Map, Value};
use stripe_openapi::{Catalog, Column, ColumnType, EventType, Resource, embedded, projection};

fn samples() -> Map<String, Value> {
    serde_json::from_str(include_str!("fixtures/samples.json")).expect("the samples are JSON")
}

fn misfits(catalog: &Catalog, id: &str, sample: &Map<String, Value>) -> Vec<String> {
    let Some(resource) = catalog.resources.iter().find(|resource| resource.resource_id == id) else {
        return vec![format!("{id}: no such resource")];
    };
    let mut misfits = Vec::new();
    for (name, value) in sample {
        if name == "id" || name == "deleted" {
            continue;
        }
        if resource.nested_list(name).is_some() {
            if !value.is_null() && value.get("data").is_none() {
                misfits.push(format!("{id}.{name}: not a list"));
            }
            continue;
        }
        match resource.columns.iter().find(|column| column.name == *name) {
            None => misfits.push(format!("{id}.{name}: no such column")),
            Some(column) if !fits(column, value) => {
                misfits.push(format!("{id}.{name}: {value} is no {column:?}"));
            }
            Some(_) => {}
        }
    }
    let missing =
        resource.columns.iter().filter(|column| !column.nullable && !sample.contains_key(&column.name));
    misfits.extend(missing.map(|column| format!("{id}.{}: required but absent", column.name)));
    misfits
}

fn fits(column: &Column, value: &Value) -> bool {
    match value {
        Value::Null => column.nullable,
        Value::Bool(_) => column.column_type == ColumnType::Boolean,
        Value::Number(number) => match column.column_type {
            ColumnType::BigInt => number.is_i64(),
            other => other == ColumnType::Numeric,
        },
        Value::String(_) => {
            column.expandable || matches!(column.column_type, ColumnType::Text | ColumnType::Timestamp)
        }
        Value::Array(_) | Value::Object(_) => column.column_type == ColumnType::Json,
    }
}

fn all_misfits(version: &str) -> Vec<String> {
    let catalog = embedded::catalog(version).expect("the version is embedded");
    samples()
        .iter()
        .flat_map(|(id, sample)| misfits(&catalog, id, sample.as_object().expect("an object")))
        .collect()
}

/// The samples are of about this version: it is one of those that they fit best.
#[test]
fn the_samples_fit_the_version_they_belong_to() {
    // Stripe's sample still has a property that invoices lost in 2025-03-31.basil.
    assert_eq!(all_misfits("2026-08-26.dahlia"), ["invoice.subscription: no such column"]);
}

/// The newest official document, which tells "may be null" from "may be absent": what it knows of the samples
/// fits, apart from what later versions took away.
#[test]
fn the_samples_fit_an_official_document() {
    let since_removed = [
        "credit_note.tax_amounts: required but absent",
        "credit_note_line_item.tax_amounts: required but absent",
        "invoice.paid: required but absent",
        "invoice.paid_out_of_band: required but absent",
        "invoice.total_tax_amounts: required but absent",
        "line_item.proration: required but absent",
        "line_item.type: required but absent",
        "product.features: required but absent",
        "promotion_code.coupon: required but absent",
        "subscription.current_period_end: required but absent",
        "subscription.current_period_start: required but absent",
    ];
    let mut misfits = all_misfits("2023-08-16");
    misfits.retain(|misfit| !misfit.contains("no such"));
    misfits.sort();
    assert_eq!(misfits, since_removed);
}

#[test]
fn a_misfit_is_found() {
    let catalog = embedded::catalog("2026-08-26.dahlia").expect("the version is embedded");
    let sample = serde_json::json!({"id": "cus_1", "created": "today", "surprise": 1, "livemode": null});
    let found = misfits(&catalog, "customer", sample.as_object().expect("an object"));
    assert!(found.len() > 3, "{found:?}");
    assert!(found.iter().any(|misfit| misfit.starts_with("customer.created: \"today\" is no")));
}

#[test]
fn a_stream_declares_its_columns_between_the_fixed_ones() {
    let column = |name: &str, column_type, nullable, expandable| Column {
        name: name.to_owned(),
        column_type,
        nullable,
        expandable,
    };
    let resource = Resource {
        table: "charge".to_owned(),
        resource_id: "charge".to_owned(),
        list: None,
        child_lists: Vec::new(),
        retrieve_path: None,
        columns: vec![
            column("amount", ColumnType::BigInt, false, false),
            column("captured", ColumnType::Boolean, false, false),
            column("customer", ColumnType::Json, true, true),
            column("described", ColumnType::Timestamp, true, false),
            column("invoice", ColumnType::Json, false, true),
            column("percent", ColumnType::Numeric, true, false),
            column("status", ColumnType::Text, false, false),
        ],
        nested_lists: Vec::new(),
        events: vec![EventType { name: "charge.updated".to_owned(), deletes: false }],
    };
    let schema = Value::from(projection::json_schema(&resource)).to_string();
    let expected = concat!(
        r#"{"type":"object","properties":{"#,
        r#""id":{"type":"string"},"#,
        r#""amount":{"type":"integer"},"#,
        r#""captured":{"type":"boolean"},"#,
        r#""customer":{"oneOf":[{"type":"object"},{"type":"null"}],"x-expandable-reference":true},"#,
        r#""described":{"oneOf":[{"type":"string","format":"date-time"},{"type":"null"}]},"#,
        r#""invoice":{"type":"object","x-expandable-reference":true},"#,
        r#""percent":{"oneOf":[{"type":"number"},{"type":"null"}]},"#,
        r#""status":{"type":"string"},"#,
        r#""_account_id":{"type":"string"},"#,
        r#""_updated_at":{"type":"integer"}},"#,
        r#""required":["id","amount","captured","invoice","status","_account_id","_updated_at"]}"#,
    );
    assert_eq!(schema, expected);
}
