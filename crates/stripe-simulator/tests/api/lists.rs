//! What lists show and hide, and the lists inside objects.

use std::collections::HashSet;

use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_openapi::knowledge::lists::{HiddenRows, Remedy, hidden_rows};
use stripe_simulator::{NestedLists, Simulator};

use crate::client::{Client, ids, newest};

#[test]
fn every_list_of_every_version_answers_its_table() {
    for version in
        [embedded::newest_version(), "2020-08-27", embedded::versions()[embedded::versions().len() - 1]]
    {
        let catalog = embedded::catalog(version).unwrap();
        let simulator = Simulator::builder(catalog.clone()).objects(4_000).livemode(true).build().unwrap();
        let (client, control) = (Client::new(&simulator), simulator.control());
        let mut objects = 0;
        for (resource, list) in catalog.listable() {
            let mut query = String::from("?");
            for parameter in list.parameters.iter().filter(|parameter| parameter.required) {
                query.push_str(&format!("{}={}&", parameter.name, parameter.values[0]));
            }
            if list.takes("limit") {
                query.push_str("limit=20");
            }
            if list.takes("status") && matches!(resource.table.as_str(), "subscription" | "tax_registration")
            {
                query.push_str("&status=all");
            }
            let mut found = Vec::new();
            match list.path.starts_with("/v2/") {
                true => {
                    let first = format!("{}{query}", list.path);
                    let mut urls = vec![first];
                    if resource.table == "v2_core_account" {
                        urls.push(format!("{}{query}&closed=true", list.path));
                    }
                    while let Some(url) = urls.pop() {
                        let page = client.ok(&url);
                        found.extend(ids(page["data"].as_array().unwrap()));
                        urls.extend(page["next_page_url"].as_str().map(str::to_owned));
                    }
                }
                false => found = ids(&client.walk(&format!("{}{query}", list.path))),
            }
            // What the list hides is listed under each customer.
            let under = |hidden: &HiddenRows| hidden.remedy == Remedy::ListUnder("customer");
            if hidden_rows(&resource.table, version).any(under) {
                let name = list.path.rsplit('/').next().unwrap();
                for customer in control.ids("customer").unwrap() {
                    found.extend(ids(&client.walk(&format!("/v1/customers/{customer}/{name}?limit=20"))));
                }
            }
            let expected = control.count(&resource.table).unwrap();
            objects += expected;
            assert_eq!(found.len() as u64, expected, "{version} {}", list.path);
            assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "{version} {}", list.path);
            if let (Some(id), Some(path)) = (found.first(), &resource.retrieve_path) {
                let path = format!("{}{id}", path.split('{').next().unwrap());
                assert_eq!(client.ok(&path)["id"], *id, "{version} {path}");
            }
        }
        assert_eq!(objects, 4_000, "{version}");
    }
}

#[test]
fn hidden_rows_are_hidden_until_asked_for() {
    let simulator = Simulator::builder(newest())
        .table("customer", 1_000)
        .table("subscription", 1_000)
        .table("test_helpers_test_clock", 2)
        .table("v2_core_account", 60)
        .build()
        .unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let plain = client.walk("/v1/subscriptions?limit=100");
    assert!(plain.iter().all(|row| row["status"] != "canceled" && row["test_clock"].is_null()));
    let all = client.walk("/v1/subscriptions?limit=100&status=all");
    let canceled = client.walk("/v1/subscriptions?limit=100&status=canceled");
    assert!(!canceled.is_empty() && canceled.iter().all(|row| row["status"] == "canceled"));
    assert_eq!(all.len(), plain.len() + canceled.len());
    let mut customers = ids(&client.walk("/v1/customers?limit=100"));
    assert!(customers.len() < 1_000);
    for clock in control.ids("test_helpers_test_clock").unwrap() {
        customers.extend(ids(&client.walk(&format!("/v1/customers?limit=100&test_clock={clock}"))));
    }
    assert_eq!(customers.iter().collect::<HashSet<_>>().len(), 1_000);
    let open = client.ok("/v2/core/accounts?limit=20");
    assert!(open["data"].as_array().unwrap().iter().all(|row| row["closed"] == false));
    let closed = client.ok("/v2/core/accounts?limit=20&closed=true");
    assert!(!closed["data"].as_array().unwrap().is_empty());
    assert!(closed["data"].as_array().unwrap().iter().all(|row| row["closed"] == true));
}

#[test]
fn nested_lists_are_cut_at_ten_and_their_url_has_the_rest() {
    let simulator = Simulator::builder(newest()).objects(20_000).long_lists(30).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let catalog = newest();
    let mut cut = HashSet::new();
    for (resource, list) in catalog.listable().filter(|(resource, _)| !resource.nested_lists.is_empty()) {
        let mut full = std::collections::HashMap::new();
        control
            .dump(&resource.table, NestedLists::Full, |text| {
                let object: Value = serde_json::from_slice(text).unwrap();
                full.insert(object["id"].as_str().unwrap().to_owned(), object);
            })
            .unwrap();
        let mut rows = client.ok(&format!("{}?limit=20", list.path))["data"].as_array().unwrap().clone();
        // A list seen only on request is asked for.
        for nested in &resource.nested_lists {
            let path = format!("{}?limit=20&expand[]=data.{}", list.path, nested.property);
            rows.extend(client.ok(&path)["data"].as_array().unwrap().iter().cloned());
        }
        for row in &rows {
            for nested in &resource.nested_lists {
                let Some(list) = row.get(&nested.property) else { continue };
                let (items, more) = (list["data"].as_array().unwrap(), list["has_more"] == true);
                assert!(items.len() == 10 || !more, "{}", resource.table);
                let url = list["url"].as_str().unwrap();
                let glue = if url.contains('?') { '&' } else { '?' };
                let complete = client.walk(&format!("{url}{glue}limit=7"));
                assert_eq!(ids(&complete)[..items.len()], ids(items), "{url}");
                assert_eq!(complete.len() > 10, more, "{url}");
                if let Some(truth) = full[row["id"].as_str().unwrap()].get(&nested.property) {
                    assert_eq!(truth["data"], Value::Array(complete), "{url}");
                    assert_eq!(truth["has_more"], false);
                }
                if more {
                    cut.insert(format!("{}.{}", resource.table, nested.property));
                }
            }
        }
    }
    for expected in
        ["invoice.lines", "subscription.items", "checkout_session.line_items", "transfer.reversals"]
    {
        assert!(cut.contains(expected), "{expected} is never cut: {cut:?}");
    }
}

#[test]
fn relations_hold() {
    let simulator = Simulator::builder(newest()).objects(6_000).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let customers: HashSet<String> = control.ids("customer").unwrap().into_iter().collect();
    let mut named = 0;
    for table in ["invoice", "charge", "subscription", "payment_method", "checkout_session"] {
        control
            .dump(table, NestedLists::Cut, |text| {
                let object: Value = serde_json::from_slice(text).unwrap();
                if let Some(customer) = object["customer"].as_str() {
                    assert!(customers.contains(customer), "{table}");
                    named += 1;
                }
            })
            .unwrap();
    }
    assert!(named > 100);
    let invoice = &client.ok("/v1/invoices?limit=1")["data"][0];
    let line = &invoice["lines"]["data"][0];
    assert_eq!(line["invoice"], invoice["id"]);
    let expanded = client.ok(&format!("/v1/invoices/{}?expand[]=customer", invoice["id"].as_str().unwrap()));
    assert_eq!(expanded["customer"]["id"], invoice["customer"]);
    let item = client.ok("/v1/subscriptions?limit=1")["data"][0]["items"]["data"][0].clone();
    assert_eq!(client.ok(&format!("/v1/subscription_items/{}", item["id"].as_str().unwrap())), item);
}

#[test]
fn sizes_are_about_stripes() {
    let simulator = Simulator::builder(newest()).objects(20_000).build().unwrap();
    for (table, low, high) in [
        ("customer", 1_000, 1_400),
        ("charge", 2_500, 3_500),
        ("invoice", 6_000, 8_500),
        ("subscription", 3_500, 5_500),
    ] {
        let (mut bytes, mut count) = (0, 0);
        simulator
            .control()
            .dump(table, NestedLists::Cut, |text| {
                bytes += text.len();
                count += 1;
            })
            .unwrap();
        let average = bytes / count;
        assert!((low..high).contains(&average), "{table}: {average} bytes");
    }
}

#[test]
fn odd_but_legal_json_is_served_on_request() {
    let simulator = Simulator::builder(newest()).table("customer", 300).oddities(true).build().unwrap();
    let text = Client::new(&simulator).get("/v1/customers?limit=100").text;
    assert!(
        text.contains(r"\u0000")
            && text.contains("18446744073709551616")
            && text.contains("9007199254740993")
    );
    assert!(serde_json::from_str::<Value>(&text).is_ok());
    let plain = Simulator::builder(newest()).table("customer", 300).build().unwrap();
    assert!(!Client::new(&plain).get("/v1/customers?limit=100").text.contains(r"\u0000"));
}

#[test]
fn pretty_answers_hold_the_same() {
    let simulator = Simulator::builder(newest()).table("invoice", 20).table("customer", 5).build().unwrap();
    let client = Client::new(&simulator);
    let compact = client.get("/v1/invoices");
    simulator.control().set_pretty(true);
    let pretty = client.get("/v1/invoices");
    assert!(pretty.text.starts_with("{\n  \"object\": \"list\",\n  \"data\": [\n    {\n      \"id\": \"in_"));
    assert_eq!(compact.json(), pretty.json());
}

#[test]
fn own_children_can_be_changed() {
    let simulator = Simulator::builder(newest()).table("invoice", 30).table("customer", 3).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let invoice = control.create("invoice", json!({})).unwrap().id;
    for _ in 0..12 {
        control.create("line_item", json!({"invoice": invoice})).unwrap();
    }
    let lines = client.ok(&format!("/v1/invoices/{invoice}"))["lines"].clone();
    assert_eq!((lines["data"].as_array().unwrap().len(), &lines["has_more"]), (10, &json!(true)));
    let removed = lines["data"][3]["id"].as_str().unwrap();
    control.delete("line_item", removed).unwrap();
    let left = client.walk(&format!("/v1/invoices/{invoice}/lines?limit=4"));
    assert_eq!(left.len(), 11);
    assert!(!ids(&left).iter().any(|id| id == removed));
    assert!(control.create("line_item", json!({})).is_err());
    assert!(control.update("invoice", &invoice, json!({"lines": {"data": []}})).is_err());
}

#[test]
fn filters_of_every_kind_narrow_a_list() {
    let simulator = Simulator::builder(newest())
        .table("price", 200)
        .table("subscription", 200)
        .table("customer", 50)
        .table("invoice", 200)
        .build()
        .unwrap();
    let client = Client::new(&simulator);
    let narrowed = |url: &str, fits: &dyn Fn(&Value) -> bool| {
        let all = client.walk(&format!("{}?limit=100", url.split('?').next().unwrap()));
        let rows = client.walk(&format!("{url}&limit=100"));
        assert!(!rows.is_empty() && rows.len() < all.len() && rows.iter().all(fits), "{url}: {}", rows.len());
        assert_eq!(all.iter().filter(|row| fits(row)).count(), rows.len(), "{url}");
    };
    narrowed("/v1/prices?recurring[interval]=week", &|row| row["recurring"]["interval"] == "week");
    narrowed("/v1/prices?active=false", &|row| row["active"] == false);
    narrowed("/v1/invoices?due_date[gte]=1760000000", &|row| row["due_date"].as_i64() >= Some(1_760_000_000));
    let email = client.ok("/v1/customers?limit=1")["data"][0]["email"].clone();
    let escaped = email.as_str().unwrap().replace('@', "%40");
    narrowed(&format!("/v1/customers?email={escaped}"), &|row| row["email"] == email);
    let ended = client.walk("/v1/subscriptions?limit=100&status=ended");
    assert!(ended.iter().any(|row| row["status"] == "canceled"));
    assert!(ended.iter().any(|row| row["status"] == "incomplete_expired"));
}
