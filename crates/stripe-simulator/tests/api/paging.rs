//! Walking lists as a client does: every row once, in order, whatever the limit and the filters.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use stripe_simulator::{Distribution, NestedLists, Simulator};

use crate::client::{Client, ids, newest};

fn distributions() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        Just(Distribution::Uniform),
        Just(Distribution::Clustered { bursts: 3 }),
        Just(Distribution::Skewed { exponent: 3.0 }),
        (1u64..120).prop_map(|per_second| Distribution::Ties { per_second }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Forwards and backwards walks give exactly the rows of the dump that lie within the bounds.
    #[test]
    fn walks_give_exactly_the_rows_within_the_bounds(
        distribution in distributions(), count in 0u64..260, limit in 1usize..=100, seed: u64,
        low in 0i64..1_000, width in 0i64..1_000, changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..3u8), 0..12),
    ) {
        let simulator = Simulator::builder(newest()).seed(seed).table("payout", count).span(1_000, 2_000)
            .distribution(distribution).build().unwrap();
        let control = simulator.control();
        for (index, what) in changes {
            let ids = control.ids("payout").unwrap();
            match what {
                0 if !ids.is_empty() => { control.delete("payout", &ids[index.index(ids.len())]).unwrap(); }
                1 if !ids.is_empty() => { control.update("payout", &ids[index.index(ids.len())], json!({"amount": 7})).unwrap(); }
                _ => { control.create("payout", json!({"created": 1_000 + index.index(1_000)})).unwrap(); }
            }
        }
        let client = Client::new(&simulator);
        let (gte, lt) = (1_000 + low, 1_000 + low + width);
        let mut expected = Vec::new();
        control.dump("payout", NestedLists::Cut, |text| {
            let object: Value = serde_json::from_slice(text).unwrap();
            if (gte..lt).contains(&object["created"].as_i64().unwrap()) {
                expected.push(object);
            }
        }).unwrap();
        let bounds = format!("/v1/payouts?limit={limit}&created[gte]={gte}&created[lt]={lt}");
        let forwards = client.walk(&bounds);
        let times: Vec<i64> = forwards.iter().map(|row| row["created"].as_i64().unwrap()).collect();
        prop_assert!(times.iter().rev().is_sorted(), "newest first");
        let mut sorted = forwards.clone();
        for rows in [&mut sorted, &mut expected] {
            rows.sort_by_key(|row| row["id"].as_str().unwrap().to_owned());
        }
        prop_assert_eq!(&sorted, &expected);
        if let Some(last) = forwards.last() {
            let mut backwards = client.walk_back(&bounds, last["id"].as_str().unwrap());
            backwards.push(last.clone());
            prop_assert_eq!(backwards, forwards);
        }
    }

    /// A filter gives the rows whose property has the value, over any number of pages.
    #[test]
    fn filters_give_the_rows_with_the_value(seed: u64, limit in 1usize..=100, pick: prop::sample::Index) {
        let simulator = Simulator::builder(newest()).seed(seed).table("customer", 23).table("invoice", 300)
            .build().unwrap();
        let control = simulator.control();
        let customers = control.ids("customer").unwrap();
        let customer = pick.get(&customers);
        let moved = control.create("invoice", json!({"customer": customer, "status": "open"})).unwrap().id;
        let all = control.ids("invoice").unwrap();
        control.update("invoice", &all[pick.index(all.len())], json!({"customer": customer})).unwrap();
        let client = Client::new(&simulator);
        for (filter, property, value) in
            [(format!("customer={customer}"), "customer", customer.as_str()), ("status=open".into(), "status", "open")]
        {
            let mut expected = Vec::new();
            control.dump("invoice", NestedLists::Cut, |text| {
                let object: Value = serde_json::from_slice(text).unwrap();
                if object[property] == value {
                    expected.push(object["id"].as_str().unwrap().to_owned());
                }
            }).unwrap();
            let mut got = ids(&client.walk(&format!("/v1/invoices?limit={limit}&{filter}")));
            prop_assert!(got.contains(&moved));
            got.sort();
            expected.sort();
            prop_assert_eq!(got, expected);
        }
    }

    /// v2 lists lead forwards by `next_page_url` and back by `previous_page_url`.
    #[test]
    fn v2_pages_lead_forwards_and_back(seed: u64, count in 0u64..120, limit in 1usize..=20) {
        let simulator = Simulator::builder(newest()).seed(seed).table("v2_core_event_destination", count)
            .build().unwrap();
        let client = Client::new(&simulator);
        let start = format!("/v2/core/event_destinations?limit={limit}");
        let (mut url, mut pages) = (start, Vec::new());
        loop {
            let page = client.ok(&url);
            pages.push((url, page["data"].clone(), page["previous_page_url"].clone()));
            match page["next_page_url"].as_str() {
                Some(next) => url = next.to_owned(),
                None => break,
            }
        }
        let rows: Vec<Value> = pages.iter().flat_map(|(_, rows, _)| rows.as_array().unwrap().clone()).collect();
        let mut got = ids(&rows);
        got.reverse();
        prop_assert_eq!(got, simulator.control().ids("v2_core_event_destination").unwrap());
        prop_assert!(rows.iter().all(|row| row["created"].as_str().unwrap().ends_with("Z")));
        prop_assert!(pages[0].2.is_null());
        for two in pages.windows(2) {
            let back = client.ok(two[1].2.as_str().unwrap());
            prop_assert_eq!(&back["data"], &two[0].1);
        }
    }
}

#[test]
fn ties_are_not_ordered_by_id() {
    let simulator = Simulator::builder(newest())
        .table("charge", 400)
        .distribution(Distribution::Ties { per_second: 400 })
        .build()
        .unwrap();
    let rows = Client::new(&simulator).walk("/v1/charges?limit=100");
    let mut ids = ids(&rows);
    assert_eq!(ids.len(), 400);
    assert!(rows.iter().all(|row| row["created"] == rows[0]["created"]));
    assert!(!ids.is_sorted() && !ids.iter().rev().is_sorted());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 400);
}

#[test]
fn equal_seeds_give_equal_accounts_and_others_do_not() {
    let dump = |seed| {
        let simulator = Simulator::builder(newest()).seed(seed).objects(2_000).build().unwrap();
        let mut all = Vec::new();
        for (table, _) in simulator.control().tables() {
            simulator.control().dump(&table, NestedLists::Full, |object| all.push(object.to_vec())).unwrap();
        }
        all
    };
    let first = dump(5);
    assert!(first == dump(5));
    assert!(first != dump(6));
}

#[test]
fn a_million_objects_are_served_at_once() {
    let catalog = newest();
    let simulator =
        Simulator::builder(Arc::clone(&catalog)).table("customer", 1_000_000).livemode(true).build().unwrap();
    let client = Client::new(&simulator);
    let first = client.ok("/v1/customers?limit=100");
    let last = first["data"][99]["id"].as_str().unwrap().to_owned();
    let second = client.ok(&format!("/v1/customers?limit=100&starting_after={last}"));
    assert_eq!(second["data"].as_array().unwrap().len(), 100);
    assert!(second["has_more"].as_bool().unwrap());
    let id = second["data"][50]["id"].as_str().unwrap();
    assert_eq!(client.ok(&format!("/v1/customers/{id}")), second["data"][50]);
    simulator.control().delete("customer", id).unwrap();
    assert_eq!(simulator.control().count("customer").unwrap(), 999_999);
}
