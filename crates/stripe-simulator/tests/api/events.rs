//! `/v1/events`: every change is told, as Stripe tells it.

use std::time::Duration;

use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Clock, Control, Simulator, SimulatorBuilder, SimulatorError};

use crate::client::{Client, ids, newest};

const NOW: i64 = 1_900_000_000;
const DAY: u64 = 24 * 3600;

fn account(tables: &[(&str, u64)]) -> SimulatorBuilder {
    let builder = Simulator::builder(newest()).clock(Clock::manual(NOW)).unsaid_changes(0);
    tables.iter().fold(builder, |builder, (table, count)| builder.table(table, *count))
}

/// A simulator, its client and its control.
fn started(builder: SimulatorBuilder) -> (Client, Control) {
    let simulator = builder.build().unwrap();
    (Client::new(&simulator), simulator.control())
}

/// All events, oldest first.
fn told(client: &Client) -> Vec<Value> {
    let mut events = client.walk("/v1/events?limit=100");
    events.reverse();
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn a_change_is_told_with_what_it_was_and_is() {
    let (client, control) = started(account(&[("customer", 5)]));
    assert!(told(&client).is_empty(), "nothing has happened yet");
    let id =
        control.create("customer", json!({"email": "a@example.com", "metadata": {"k": "1"}})).unwrap().id;
    control.update("customer", &id, json!({"email": "b@example.com", "metadata": {"k": "2"}})).unwrap();
    let last = client.ok(&format!("/v1/customers/{id}"));
    control.update("customer", &id, json!({"email": "b@example.com"})).unwrap();
    control.delete("customer", &id).unwrap();
    let events = told(&client);
    assert_eq!(kinds(&events), ["customer.created", "customer.updated", "customer.deleted"]);
    let event = &events[1];
    assert_eq!((&event["object"], &event["created"]), (&json!("event"), &json!(NOW)));
    assert_eq!(event["api_version"], newest().api_version);
    assert_eq!(event["livemode"], false);
    assert!(event["id"].as_str().unwrap().starts_with("evt_1"));
    assert!(event["request"]["id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(event["data"]["object"], last, "as retrieve answers it");
    assert_eq!(
        event["data"]["previous_attributes"],
        json!({"email": "a@example.com", "metadata": {"k": "1"}})
    );
    assert!(events[0]["data"].get("previous_attributes").is_none());
    assert_eq!(events[2]["data"]["object"], last);
    assert_eq!(client.ok(&format!("/v1/events/{}", event["id"].as_str().unwrap())), *event);
    assert_eq!(client.get("/v1/events/evt_none").status, 404);
}

#[test]
fn the_list_pages_and_filters() {
    let clock = Clock::manual(NOW);
    let (client, control) = started(account(&[]).clock(clock.clone()));
    for _ in 0..30 {
        let made = control.create("customer", json!({})).unwrap();
        control.create("product", json!({})).unwrap();
        control.update("customer", &made.id, json!({"name": "N"})).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let events = told(&client);
    assert_eq!(events.len(), 90);
    let newest_first: Vec<String> = ids(&events).into_iter().rev().collect();
    assert_eq!(ids(&client.walk("/v1/events?limit=7")), newest_first);
    assert_eq!(ids(&client.walk_back("/v1/events?limit=7", &newest_first[89])), newest_first[..89]);
    let second = NOW + 10;
    for (operator, count) in [("gt", 57), ("gte", 60), ("lt", 30), ("lte", 33)] {
        let rows = client.walk(&format!("/v1/events?limit=20&created[{operator}]={second}"));
        assert_eq!(rows.len(), count, "{operator}");
    }
    assert_eq!(client.walk("/v1/events?limit=9&type=customer.created").len(), 30);
    assert_eq!(client.walk("/v1/events?limit=9&type=customer.*").len(), 60);
    let two = "/v1/events?limit=9&types[]=customer.created&types[]=product.created";
    assert_eq!(client.walk(two).len(), 60);
    assert_eq!(client.get("/v1/events?starting_after=evt_none").status, 400);
    assert_eq!(client.get("/v1/events?limit=101").status, 400);
    assert_eq!(client.get("/v1/events?colour=red").status, 400);
}

#[test]
fn states_have_events_of_their_own() {
    let (client, control) = started(account(&[]));
    let made = |table: &str, fields: Value| control.create(table, fields).unwrap().id;
    let subscription = made("subscription", json!({"status": "active"}));
    let invoice = made("invoice", json!({"status": "draft"}));
    let intent = made("payment_intent", json!({"status": "processing"}));
    let charge = made("charge", json!({"status": "succeeded", "amount_refunded": 0}));
    let before = told(&client).len();
    control.update("subscription", &subscription, json!({"status": "canceled"})).unwrap();
    control.update("invoice", &invoice, json!({"status": "open"})).unwrap();
    control.update("invoice", &invoice, json!({"status": "paid"})).unwrap();
    control.update("payment_intent", &intent, json!({"status": "succeeded"})).unwrap();
    control.update("charge", &charge, json!({"amount_refunded": 10})).unwrap();
    let events = told(&client);
    assert_eq!(
        kinds(&events[before..]),
        [
            "customer.subscription.deleted",
            "invoice.updated",
            "invoice.finalized",
            "invoice.updated",
            "invoice.paid",
            "invoice.payment_succeeded",
            "payment_intent.succeeded",
            "charge.updated",
            "charge.refunded"
        ]
    );
    assert_eq!(events[before]["data"]["object"]["status"], "canceled");
    assert_eq!(client.ok(&format!("/v1/subscriptions/{subscription}"))["status"], "canceled");
}

#[test]
fn children_are_told_by_themselves_or_by_their_parents() {
    let (client, control) = started(account(&[("subscription", 3), ("invoice", 3), ("customer", 3)]));
    let subscription = control.ids("subscription").unwrap()[0].clone();
    let items = client.ok(&format!("/v1/subscriptions/{subscription}"))["items"]["data"].clone();
    let item = items[0]["id"].as_str().unwrap();
    control.update("subscription_item", item, json!({"quantity": 77})).unwrap();
    control.delete("subscription_item", item).unwrap();
    control.create("subscription_item", json!({"parent": subscription})).unwrap();
    let events = told(&client);
    assert_eq!(kinds(&events), ["customer.subscription.updated"; 3]);
    assert_eq!(events[0]["data"]["previous_attributes"]["items"]["data"], items);
    assert_eq!(events[0]["data"]["object"]["items"]["data"][0]["quantity"], 77);
    assert!(!events[1]["data"]["object"].to_string().contains(item));
    assert!(events[1]["data"]["previous_attributes"].to_string().contains(item));
    assert_eq!(events[2]["data"]["object"], client.ok(&format!("/v1/subscriptions/{subscription}")));

    let invoice = control.ids("invoice").unwrap()[0].clone();
    let line = client.ok(&format!("/v1/invoices/{invoice}/lines"))["data"][0]["id"].clone();
    control.delete("line_item", line.as_str().unwrap()).unwrap();
    let customer = control.ids("customer").unwrap()[0].clone();
    let charge = control.create("charge", json!({"status": "succeeded"})).unwrap().id;
    control.create("refund", json!({"charge": charge})).unwrap();
    let tax_id = control.create("tax_id", json!({"customer": customer})).unwrap().id;
    control.delete("tax_id", &tax_id).unwrap();
    control.create("customer_balance_transaction", json!({"parent": customer})).unwrap();
    let events = told(&client);
    assert_eq!(
        kinds(&events[3..]),
        [
            "invoice.updated",
            "charge.succeeded",
            "refund.created",
            "charge.refunded",
            "customer.tax_id.created",
            "customer.tax_id.deleted",
            "customer.updated"
        ]
    );
    assert!(events[3]["data"]["previous_attributes"]["lines"].to_string().contains(line.as_str().unwrap()));
}

#[test]
fn payloads_are_rendered_at_the_accounts_default_version() {
    let old = embedded::catalog("2020-08-27").unwrap();
    let (client, control) = started(account(&[]).events_version(old.clone()));
    let id = control.create("subscription", json!({"status": "active"})).unwrap().id;
    let events = told(&client);
    let event = events.iter().find(|event| event["data"]["object"]["id"] == json!(id)).unwrap();
    assert_eq!(event["api_version"], "2020-08-27");
    let at = |version: &str| {
        let request = axum::http::Request::get(format!("/v1/subscriptions/{id}"))
            .header("authorization", format!("Bearer {}", stripe_simulator::DEFAULT_API_KEY))
            .header("stripe-version", version);
        client.send(request.body(axum::body::Body::empty()).unwrap()).json()
    };
    assert_eq!(event["data"]["object"], at("2020-08-27"));
    assert_ne!(event["data"]["object"], at(&newest().api_version));
}

#[test]
fn events_are_kept_for_30_days() {
    let clock = Clock::manual(NOW);
    let (client, control) = started(account(&[]).clock(clock.clone()));
    control.create("customer", json!({})).unwrap();
    clock.advance(Duration::from_secs(29 * DAY));
    control.create("product", json!({})).unwrap();
    let both = told(&client);
    assert_eq!(kinds(&both), ["customer.created", "product.created"]);
    clock.advance(Duration::from_secs(DAY + 1));
    assert_eq!(kinds(&told(&client)), ["product.created"]);
    assert_eq!(client.get(&format!("/v1/events/{}", both[0]["id"].as_str().unwrap())).status, 404);
}

#[test]
fn late_events_surface_later_with_their_old_time() {
    let clock = Clock::manual(NOW);
    let (client, control) = started(account(&[]).clock(clock.clone()).late_events(0.5, 20));
    control.create_many("customer", 60).unwrap();
    let early = told(&client);
    assert!((15..45).contains(&early.len()), "{}", early.len());
    assert_eq!(control.count("event").unwrap(), early.len() as u64);
    clock.advance(Duration::from_secs(21));
    let all = told(&client);
    assert_eq!(all.len(), 60);
    assert!(all.iter().all(|event| event["created"] == NOW));
}

#[test]
fn the_truth_about_the_events_table_is_what_is_told() {
    let (client, control) = started(account(&[("customer", 3)]));
    control.create("product", json!({})).unwrap();
    let id = control.ids("customer").unwrap()[0].clone();
    control.delete("customer", &id).unwrap();
    let mut rows: Vec<Value> = Vec::new();
    control
        .dump("event", stripe_simulator::NestedLists::Cut, |text| {
            rows.push(serde_json::from_slice(text).unwrap());
        })
        .unwrap();
    assert_eq!(rows, told(&client));
    assert_eq!(ids(&rows), control.ids("event").unwrap());
    assert_eq!(control.get("event", &ids(&rows)[0]).unwrap().as_ref(), Some(&rows[0]));
    assert!(control.tables().contains(&("event".into(), 2)));
    assert!(matches!(control.create("event", json!({})), Err(SimulatorError::Events { .. })));
    assert!(matches!(account(&[("event", 5)]).build().unwrap_err(), SimulatorError::Events { .. }));
}

#[test]
fn tables_without_events_are_silent_and_unreliable_ones_half_so() {
    let (client, control) = started(account(&[("account", 40)]).unsaid_changes(50));
    control.create("balance_transaction", json!({})).unwrap();
    control.create("shipping_rate", json!({})).unwrap();
    assert!(told(&client).is_empty());
    for id in control.ids("account").unwrap() {
        control.update("account", &id, json!({"email": "new@example.com"})).unwrap();
    }
    let events = told(&client);
    assert!((8..32).contains(&events.len()), "{}", events.len());
    assert!(kinds(&events).iter().all(|kind| *kind == "account.updated"));
}

#[test]
fn changes_of_v2_objects_have_thin_events_of_their_own() {
    let (client, control) = started(account(&[("v2_core_account", 4)]));
    let id = control.ids("v2_core_account").unwrap()[0].clone();
    control.update("v2_core_account", &id, json!({"display_name": "New"})).unwrap();
    control.update("v2_core_account", &id, json!({"closed": true})).unwrap();
    assert!(told(&client).is_empty(), "v1 knows v1 objects only");
    let page = client.ok("/v2/core/events?limit=2");
    let events = page["data"].as_array().unwrap();
    assert_eq!(kinds(events), ["v2.core.account.closed", "v2.core.account.updated"]);
    let event = &events[0];
    assert_eq!(event["object"], "v2.core.event");
    assert!(event.get("data").is_none());
    assert_eq!(
        event["related_object"],
        json!({"id": id, "type": "v2.core.account", "url": format!("/v2/core/accounts/{id}")})
    );
    assert_eq!(event["created"], "2030-03-17T17:46:40.000Z");
    let next = client.ok(page["next_page_url"].as_str().unwrap());
    assert_eq!((next["data"].as_array().unwrap().len(), &next["next_page_url"]), (1, &Value::Null));
    assert_eq!(client.ok(&format!("/v2/core/events/{}", event["id"].as_str().unwrap())), *event);
    let about = client.ok(&format!("/v2/core/events?object_id={id}&limit=20"));
    assert_eq!(about["data"].as_array().unwrap().len(), 3);
    let others = client.ok("/v2/core/events?object_id=acct_other");
    assert_eq!(others["data"], json!([]));
}

#[test]
fn stirring_is_repeatable_and_told_in_full() {
    let tables = [("customer", 30), ("subscription", 30), ("invoice", 60), ("product", 5), ("charge", 20)];
    let outcome = |seed: u64| {
        let (client, control) = started(account(&tables));
        let done = control.stir(seed, 600).unwrap();
        let events = told(&client);
        (client, control, done, events)
    };
    let (client, control, done, events) = outcome(5);
    assert!(
        (600..615).contains(&done.len()) && events.len() >= done.len(),
        "{} {}",
        done.len(),
        events.len()
    );
    let made: Vec<String> = done.iter().map(|mutation| mutation.id.clone()).collect();
    assert_eq!(events, outcome(5).3, "equal to the letter");
    assert_ne!(made, outcome(6).2.iter().map(|mutation| mutation.id.clone()).collect::<Vec<_>>());
    for kind in [
        "customer.deleted",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "invoice.deleted",
        "coupon.deleted",
        "plan.created",
        "charge.refunded",
        "customer.tax_id.created",
        "invoice.paid",
    ] {
        assert!(kinds(&events).contains(&kind), "{kind}");
    }
    // Parents get more children than they show, and some of those that are not shown change.
    let mut long = 0;
    for (table, property) in [("subscription", "items"), ("invoice", "lines")] {
        let count = |text: &[u8]| {
            let object: Value = serde_json::from_slice(text).unwrap();
            let items = object[property]["data"].as_array().unwrap();
            let made = items.iter().filter(|item| made.iter().any(|id| item["id"] == **id)).count();
            long += usize::from(items.len() > 10 && made > 5);
        };
        control.dump(table, stripe_simulator::NestedLists::Full, count).unwrap();
    }
    assert!(long > 0);
    let clocks = client.walk("/v1/test_helpers/test_clocks?limit=5");
    let clocked =
        client.walk(&format!("/v1/customers?limit=50&test_clock={}", clocks[0]["id"].as_str().unwrap()));
    assert!(!clocked.is_empty());
    let lives = |id: &str| done.iter().filter(|m| m.id == id && m.before.is_none()).count();
    assert!((0..6).any(|name| lives(&format!("stirred_coupon_{name}")) > 1));
    // The last event of each object says how it is now.
    for table in ["customer", "product", "coupon", "subscription", "invoice", "charge"] {
        let mut last: std::collections::BTreeMap<String, &Value> = std::collections::BTreeMap::new();
        for event in events.iter().filter(|event| event["data"]["object"]["object"] == table) {
            last.insert(event["data"]["object"]["id"].as_str().unwrap().to_owned(), event);
        }
        assert!(!last.is_empty(), "{table}");
        for (id, event) in last {
            let now = control.get(table, &id).unwrap();
            let gone = event["type"].as_str().unwrap().ends_with(".deleted") && table != "subscription";
            assert_eq!(now.is_none(), gone, "{table} {id}");
            if let Some(now) = now {
                assert_eq!(event["data"]["object"], now, "{table} {id}");
            }
        }
    }
    assert!(client.walk("/v1/coupons?limit=50").len() < 30);
}

#[test]
fn entitlements_are_told_by_a_summary() {
    let (client, control) = started(account(&[("customer", 2)]));
    let customer = control.ids("customer").unwrap()[0].clone();
    let id = control.create("active_entitlement", json!({"parent": customer})).unwrap().id;
    control.delete("active_entitlement", &id).unwrap();
    let events = told(&client);
    assert_eq!(kinds(&events), ["entitlements.active_entitlement_summary.updated"; 2]);
    let summary = &events[0]["data"]["object"];
    assert_eq!(summary["object"], "entitlements.active_entitlement_summary");
    assert_eq!(summary["customer"], customer);
    assert!(summary["entitlements"]["data"].to_string().contains(&id));
    assert!(!events[1]["data"]["object"].to_string().contains(&id));
}

#[test]
fn v2_events_are_filtered_and_paged() {
    let clock = Clock::manual(NOW);
    let early = embedded::catalog("2025-10-29.clover").unwrap();
    let builder = account(&[]).clock(clock.clone()).also_serve(early);
    let (client, control) = started(builder);
    let mut made = Vec::new();
    for _ in 0..12 {
        let id = control.create("v2_core_account", json!({})).unwrap().id;
        control.update("v2_core_account", &id, json!({"display_name": "N"})).unwrap();
        made.push(id);
        clock.advance(Duration::from_secs(1));
    }
    let walk = |query: &str| {
        let mut events: Vec<Value> = Vec::new();
        let mut next = format!("/v2/core/events?limit=5{query}");
        loop {
            let page = client.ok(&next);
            events.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_page_url"].as_str() {
                Some(url) => next = url.to_owned(),
                None => return events,
            }
        }
    };
    let all = walk("");
    assert_eq!(all.len(), 24);
    assert!(ids(&all).iter().collect::<std::collections::BTreeSet<_>>().len() == 24);
    // The fifth second, counted from 0.
    let second = "2030-03-17T17:46:44.000Z";
    for (operator, count) in [("gt", 14), ("gte", 16), ("lt", 8), ("lte", 10)] {
        assert_eq!(walk(&format!("&created[{operator}]={second}")).len(), count, "{operator}");
        let old = client.get_with(
            &format!("/v2/core/events?limit=20&{operator}={second}"),
            &[("stripe-version", "2025-10-29.clover")],
        );
        assert_eq!(old.json()["data"].as_array().unwrap().len(), count, "bare {operator}: {}", old.text);
    }
    assert_eq!(walk(&format!("&created[gte]={second}&created[lt]=2030-03-17T17:46:45.500Z")).len(), 4);
    assert_eq!(walk("&types[]=v2.core.account.created").len(), 12);
    assert_eq!(walk("&types[0]=v2.core.account.created&types[1]=v2.core.account.updated").len(), 24);
    assert_eq!(walk(&format!("&object_id={}", made[3])).len(), 2);
    for wrong in
        ["created[near]=x", "created[gt]=yesterday", "gt=2030-03-17T17:46:44.000Z", "page=x", "limit=0"]
    {
        assert_eq!(client.get(&format!("/v2/core/events?{wrong}")).status, 400, "{wrong}");
    }
    let page = client.ok("/v2/core/events?limit=5");
    let second = client.ok(page["next_page_url"].as_str().unwrap());
    let back = client.ok(second["previous_page_url"].as_str().unwrap());
    assert_eq!(back["data"], page["data"]);
    let missing = client.get("/v2/core/events/evt_none");
    assert_eq!((missing.status, missing.json()["error"]["code"].clone()), (404, json!("resource_missing")));
}
