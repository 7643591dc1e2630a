//! Every generated object of every API version is JSON of the shape that the catalog names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stripe_openapi::{ColumnType, embedded};
use stripe_simulator::{NestedLists, Simulator};

fn fits(value: &Value, column_type: ColumnType) -> bool {
    match column_type {
        ColumnType::Text => value.is_string(),
        ColumnType::Boolean => value.is_boolean(),
        ColumnType::BigInt => value.is_i64(),
        ColumnType::Numeric => value.is_number(),
        // An expandable reference is an id until it is expanded.
        ColumnType::Json => value.is_object() || value.is_array(),
        ColumnType::Timestamp => value.as_str().is_some_and(|text| text.contains('T')),
    }
}

#[test]
fn objects_of_all_versions_have_the_shape_that_the_catalog_names() {
    let mut wrong = BTreeMap::new();
    for version in embedded::versions() {
        let catalog = embedded::catalog(version).unwrap();
        let simulator = Simulator::builder(Arc::clone(&catalog)).objects(600).build().unwrap();
        let control = simulator.control();
        for resource in &catalog.resources {
            let mut seen = 0;
            control
                .dump(&resource.table, NestedLists::Cut, |text| {
                    seen += 1;
                    if seen > 12 {
                        return;
                    }
                    let object: Value = serde_json::from_slice(text).unwrap_or_else(|error| {
                        panic!("{version} {}: {error}: {}", resource.table, String::from_utf8_lossy(text))
                    });
                    assert!(object["id"].is_string(), "{version} {}: {object}", resource.table);
                    for column in &resource.columns {
                        let value = &object[&column.name];
                        let right = fits(value, column.column_type)
                            || (value.is_null() && column.nullable)
                            || (value.is_string() && column.expandable);
                        if !right {
                            let what = format!("{version}: {value} for {column:?}");
                            wrong.entry(format!("{}.{}", resource.table, column.name)).or_insert(what);
                        }
                    }
                    for nested in &resource.nested_lists {
                        let list = &object[&nested.property];
                        assert!(
                            list.is_null() || list["data"].is_array(),
                            "{version} {}: {list}",
                            resource.table
                        );
                    }
                })
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
