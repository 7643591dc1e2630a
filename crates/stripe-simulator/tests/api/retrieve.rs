//! Single objects: every table that can be retrieved, by every id.

use serde_json::{Value, json};
use stripe_simulator::{NestedLists, Simulator};

use crate::client::{Client, newest};

/// The URL of an object: the hole before its own id, if there is one, takes its parent's.
fn url(path: &str, parent: &str, id: &str) -> String {
    let mut holes = path.matches('{').count();
    let fill = |segment: &str| {
        if !segment.starts_with('{') {
            return segment.to_owned();
        }
        holes -= 1;
        if holes == 0 { id.to_owned() } else { parent.to_owned() }
    };
    path.split('/').map(fill).collect::<Vec<String>>().join("/")
}

#[test]
fn every_object_that_can_be_retrieved_is() {
    let catalog = newest();
    let simulator = Simulator::builder(newest()).objects(6_000).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let mut retrieved = 0;
    for resource in &catalog.resources {
        let Some(path) = &resource.retrieve_path else { continue };
        let table = resource.table.as_str();
        if table == "event" || table == "v2_core_event" {
            continue;
        }
        let mut found: Vec<(String, Value)> = Vec::new();
        if path.matches('{').count() == 1 {
            control
                .dump(table, NestedLists::Cut, |text| {
                    found.push((String::new(), serde_json::from_slice(text).unwrap()));
                })
                .unwrap();
        } else {
            let child = resource.child_lists.iter().find(|child| child.parent_in_path()).unwrap();
            for parent in control.ids(child.parent_table.as_deref().unwrap()).unwrap() {
                let list = child.list.path.replace(&format!("{{{}}}", child.parent_parameter), &parent);
                let rows = client.ok(&list)["data"].as_array().unwrap().clone();
                found.extend(rows.into_iter().map(|row| (parent.clone(), row)));
            }
        }
        if found.is_empty() {
            // What nothing of the generated account has is made.
            let parents = resource.child_lists.iter().filter_map(|child| child.parent_table.as_deref());
            let parent = parents.filter_map(|table| control.ids(table).unwrap().into_iter().next()).next();
            let parent = parent.unwrap_or_default();
            let id = control.create(table, json!({"parent": parent})).unwrap().id;
            found.push((parent, control.get(table, &id).unwrap().unwrap()));
        }
        found.truncate(20);
        for (parent, object) in &found {
            let url = url(path, parent, object["id"].as_str().unwrap());
            assert_eq!(client.ok(&url), *object, "{url}");
            retrieved += 1;
        }
        let (parent, object) = &found[0];
        assert!(matches!(client.get(&url(path, parent, "none")).status, 403 | 404), "{path}");
        if path.matches('{').count() > 1 {
            let other = client.get(&url(path, "none", object["id"].as_str().unwrap()));
            assert_eq!(other.status, 404, "only under its parent: {path}");
        }
        gone(&client, &control, table, path, parent, object);
    }
    assert!(retrieved > 1_000, "{retrieved}");
}

/// A deleted object is missing, or said to be deleted.
fn gone(
    client: &Client,
    control: &stripe_simulator::Control,
    table: &str,
    path: &str,
    parent: &str,
    object: &Value,
) {
    let id = object["id"].as_str().unwrap();
    control.delete(table, id).unwrap();
    let answer = client.get(&url(path, parent, id));
    let error = answer.json()["error"]["code"].clone();
    match table {
        "customer" | "terminal_configuration" | "terminal_location" | "terminal_reader" => {
            assert_eq!(answer.status, 200, "{table}");
            assert_eq!(answer.json(), json!({"id": id, "object": object["object"], "deleted": true}));
        }
        "account" => assert_eq!((answer.status, error), (403, json!("account_invalid"))),
        _ => assert_eq!((answer.status, error), (404, json!("resource_missing")), "{table}"),
    }
}

#[test]
fn objects_are_expanded_as_in_lists() {
    let simulator = Simulator::builder(newest()).objects(6_000).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let row =
        client.ok("/v1/charges?limit=1&expand[]=data.customer&expand[]=data.refunds")["data"][0].clone();
    let id = row["id"].as_str().unwrap();
    let alone = client.ok(&format!("/v1/charges/{id}?expand[]=customer&expand[]=refunds"));
    assert_eq!(alone, row);
    assert!(alone["customer"]["id"].is_string() && alone["refunds"]["data"].is_array());
    let session = control.ids("checkout_session").unwrap()[0].clone();
    let path = format!("/v1/checkout/sessions/{session}");
    assert!(client.ok(&path).get("line_items").is_none());
    assert!(client.ok(&format!("{path}?expand[]=line_items"))["line_items"]["data"].is_array());
    let refused = |path: &str| {
        let answer = client.get(path);
        assert_eq!(answer.status, 400, "{path}");
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        refused(&format!("/v1/charges/{id}?expand[]=data.customer")),
        "This property cannot be expanded (data.customer)."
    );
    assert_eq!(
        refused("/v1/charges?expand[]=customer"),
        "This property cannot be expanded (customer). You may want to try expanding 'data.customer' instead."
    );
}
