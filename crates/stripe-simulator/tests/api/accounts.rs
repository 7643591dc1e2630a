//! Connected accounts: worlds of their own behind the platform's key.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Clock, Control, Limits, Simulator, SimulatorBuilder, SimulatorError};

use crate::client::{Client, ids, newest};

const NOW: i64 = 1_900_000_000;
const PLATFORM: &str = "acct_1SimB7WZ01zgkWwI";

fn platform() -> SimulatorBuilder {
    let builder = Simulator::builder(newest()).clock(Clock::manual(NOW)).unsaid_changes(0);
    builder.table("customer", 5).connected(3, &[("customer", 20), ("charge", 30)]).connected(1, &[])
}

fn started(builder: SimulatorBuilder) -> (Client, Control, Vec<String>) {
    let simulator = builder.build().unwrap();
    let control = simulator.control();
    let accounts = control.ids("account").unwrap();
    (Client::new(&simulator), control, accounts)
}

fn rows(page: &Value) -> Vec<String> {
    ids(page["data"].as_array().unwrap())
}

#[test]
fn each_account_is_a_world_of_its_own() {
    let (client, control, accounts) = started(platform().table("account", 40));
    assert_eq!(accounts.len(), 4);
    let mut listed = ids(&client.walk("/v1/accounts?limit=3"));
    listed.reverse();
    assert_eq!(listed, accounts, "exactly the connected ones");
    let path = "/v1/customers?limit=100";
    let mut seen: BTreeSet<String> = rows(&client.ok(path)).into_iter().collect();
    assert_eq!(seen.len(), 5);
    for id in &accounts[..3] {
        let customers = rows(&client.ok_as(id, path));
        assert_eq!(customers.len(), 20);
        assert_eq!(rows(&client.ok_as(id, "/v1/charges?limit=100")).len(), 30);
        seen.extend(customers);
        let own = client.ok_as(id, "/v1/account");
        assert_eq!(own, client.ok(&format!("/v1/accounts/{id}")), "as its platform sees it");
        assert_eq!(own, client.ok_as(id, &format!("/v1/accounts/{id}")));
        assert_eq!(own["id"], *id);
        let row = client.ok_as(id, path)["data"][0].clone();
        assert!(row["created"].as_i64() >= own["created"].as_i64(), "nothing is older than its account");
        let told = control.account(id).unwrap();
        assert_eq!((told.account_id(), told.count("customer").unwrap()), (id.clone(), 20));
        assert_eq!(serde_json::from_slice::<Value>(&told.own_account()).unwrap(), own);
    }
    assert_eq!(seen.len(), 65, "no id is anywhere twice");
    let empty = client.ok_as(&accounts[3], path);
    assert_eq!(empty["data"], json!([]));
    assert_eq!(client.ok_as(&accounts[0], "/v1/accounts")["data"], json!([]));
    assert_eq!(client.ok_as(PLATFORM, "/v1/account")["id"], PLATFORM, "one may name oneself");
    let twin = started(platform());
    assert_eq!(twin.0.ok_as(&accounts[1], path), client.ok_as(&accounts[1], path), "repeatable");
}

#[test]
fn changes_stay_in_their_account_and_are_told_there() {
    let (client, control, accounts) = started(platform());
    let (id, other) = (&accounts[0], &accounts[1]);
    let shop = control.account(id).unwrap();
    let made = shop.create("customer", json!({"name": "N"})).unwrap().id;
    assert_eq!(client.ok_as(id, &format!("/v1/customers/{made}"))["name"], "N");
    assert_eq!(client.get(&format!("/v1/customers/{made}")).status, 404);
    let events = client.ok_as(id, "/v1/events");
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    let event = &events["data"][0];
    assert_eq!(
        (&event["type"], &event["account"], &event["object"]),
        (&json!("customer.created"), &json!(id), &json!("event"))
    );
    assert_eq!(client.ok_as(id, &format!("/v1/events/{}", event["id"].as_str().unwrap())), *event);
    assert_eq!(client.ok_as(other, "/v1/events")["data"], json!([]));
    control.create("customer", json!({})).unwrap();
    let own = client.ok("/v1/events")["data"].clone();
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert!(own[0].get("account").is_none());
    shop.create("v2_core_account", json!({})).unwrap();
    assert_eq!(client.ok_as(id, "/v2/core/events")["data"][0]["context"], *id);
    assert!(shop.stir(1, 30).unwrap().len() >= 30);
    assert_eq!(control.account(other).unwrap().count("event").unwrap(), 0);
}

#[test]
fn accounts_tell_of_themselves() {
    let (client, control, accounts) = started(platform());
    let id = &accounts[2];
    control.update("account", id, json!({"email": "new@example.com"})).unwrap();
    let person = control.create("person", json!({"parent": id})).unwrap().id;
    assert_eq!(client.ok("/v1/events")["data"], json!([]), "not the platform");
    let events = client.ok_as(id, "/v1/events");
    let kinds: Vec<&Value> = events["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds.last(), Some(&&json!("account.updated")));
    assert!(kinds.contains(&&json!("person.created")), "{kinds:?}");
    let updated = events["data"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&updated["account"], &updated["data"]["object"]["email"]),
        (&json!(id), &json!("new@example.com"))
    );
    assert_eq!(client.ok_as(id, "/v1/account")["email"], "new@example.com");
    assert_eq!(client.ok(&format!("/v1/accounts/{id}/persons/{person}"))["id"], person);
    let late = control.create("account", json!({})).unwrap().id;
    assert_eq!(client.ok_as(&late, "/v1/customers")["data"], json!([]), "a new account has nothing");
}

#[test]
fn strange_and_revoked_accounts_are_refused() {
    let (client, control, accounts) = started(platform());
    let id = accounts[1].as_str();
    let refused = |id: &str| {
        let answer = client.get_with("/v1/customers", &[("stripe-account", id)]);
        assert_eq!(answer.status, 403, "{}", answer.text);
        answer.text
    };
    let words = |id: &str| {
        format!(
            r#"{{"error":{{"code":"account_invalid","doc_url":"https://stripe.com/docs/error-codes/account-invalid","message":"The provided key 'sk_test_*****ated' does not have access to account '{id}' (or that account does not exist). Application access may have been revoked.","type":"invalid_request_error"}}}}"#
        )
    };
    assert_eq!(refused("acct_strange"), words("acct_strange"));
    let retrieved = client.get("/v1/accounts/acct_strange");
    assert_eq!((retrieved.status, retrieved.text), (403, words("acct_strange")));
    assert_eq!(client.get("/v1/accounts/acct_strange/persons").status, 403);
    assert_eq!(client.get_with("/v1/customers", &[("stripe-account", id)]).status, 200);
    control.account(id).unwrap().create("customer", json!({})).unwrap();
    control.update("account", id, json!({"email": "kept@example.com"})).unwrap();
    let events = control.account(id).unwrap().count("event").unwrap();
    control.revoke(id).unwrap();
    assert_eq!(refused(id), words(id));
    assert_eq!(ids(&client.walk("/v1/accounts?limit=9")).len(), 3);
    assert_eq!(control.count("account").unwrap(), 3);
    assert_eq!(client.get(&format!("/v1/accounts/{id}")).status, 403);
    control.account(id).unwrap().create("customer", json!({})).unwrap();
    assert_eq!(client.ok("/v1/events")["data"], json!([]), "nobody is told");
    control.restore(id).unwrap();
    assert_eq!(control.count("account").unwrap(), 4);
    assert_eq!(client.ok_as(id, "/v1/account")["email"], "kept@example.com");
    assert_eq!(client.ok_as(id, "/v1/events")["data"].as_array().unwrap().len() as u64, events + 1);
    control.delete("account", &accounts[3]).unwrap();
    refused(&accounts[3]);
    assert!(matches!(control.account("acct_strange"), Err(SimulatorError::NoSuchObject { .. })));
    assert!(matches!(control.revoke("acct_strange"), Err(SimulatorError::NoSuchObject { .. })));
    let error = Simulator::builder(newest()).connected(1, &[("chargers", 5)]).build().unwrap_err();
    assert!(matches!(error, SimulatorError::UnknownTable { .. }));
}

#[test]
fn organisations_name_the_account_by_its_context() {
    let key = "sk_org_test_1234567890";
    let builder = platform().api_key(stripe_simulator::DEFAULT_API_KEY).api_key(key);
    let (client, _, accounts) = started(builder);
    let bearer = format!("Bearer {key}");
    let version = newest().api_version.clone();
    let ask = |headers: &[(&str, &str)]| {
        let all = [&[("authorization", bearer.as_str())], headers].concat();
        client.get_with("/v1/account", &all)
    };
    let missing = ask(&[("stripe-version", &version)]);
    assert_eq!(missing.status, 400);
    assert_eq!(
        missing.json()["error"]["message"],
        "Please include the Stripe-Context header with your target account when using an Organization API key."
    );
    let context = ("stripe-context", accounts[0].as_str());
    assert_eq!(ask(&[context]).status, 400, "nor is there a default version");
    assert_eq!(ask(&[context, ("stripe-version", &version)]).json()["id"], accounts[0]);
    let nested = format!("{PLATFORM}/{}", accounts[1]);
    let nested = ask(&[("stripe-context", &nested), ("stripe-version", &version)]);
    assert_eq!(nested.json()["id"], accounts[1]);
    let platform = ask(&[("stripe-context", PLATFORM), ("stripe-version", &version)]);
    assert_eq!(platform.json()["id"], PLATFORM);
    let strange = ask(&[("stripe-context", "acct_strange/acct_other"), ("stripe-version", &version)]);
    assert_eq!(strange.status, 403);
    assert!(strange.text.contains("'acct_other'"), "{}", strange.text);
    // Usual keys may name accounts in the same way.
    assert_eq!(client.get_with("/v1/account", &[context]).json()["id"], accounts[0]);
}

#[test]
fn limits_and_counters_are_per_account() {
    let (client, control, accounts) = started(platform().limits(Limits::live()));
    let until_limited = |account: &str| {
        let ask = || client.get_with("/v1/customers", &[("stripe-account", account)]).status;
        (0..30).take_while(|_| ask() == 200).count()
    };
    assert_eq!(until_limited(PLATFORM), 25);
    assert_eq!(until_limited(&accounts[0]), 25);
    assert_eq!(until_limited(&accounts[1]), 25);
    let of = |id: &str| control.account(id).unwrap().counters();
    assert_eq!((of(&accounts[0]).requests, of(&accounts[0]).with_status(429)), (26, 1));
    assert_eq!((control.counters().requests, of(&accounts[2]).requests), (26, 0));
    assert_eq!(control.all_counters().requests_to("/v1/customers"), 78);
    control.set_limits(Limits::default());
    assert_eq!(until_limited(&accounts[0]), 30);
    assert_eq!(until_limited(&accounts[3]), 30, "also where nobody asked before");
    control.reset_counters();
    assert_eq!(control.all_counters().requests, 0);
}

#[test]
fn accounts_are_seen_through_several_versions() {
    let old = embedded::catalog("2020-08-27").unwrap();
    let (client, control, accounts) = started(platform().also_serve(old));
    let shop = control.account(&accounts[0]).unwrap();
    let made = shop.create("customer", json!({})).unwrap().id;
    let answer = client.get_with(
        &format!("/v1/customers/{made}"),
        &[("stripe-account", &accounts[0]), ("stripe-version", "2020-08-27")],
    );
    assert_eq!((answer.status, answer.header("stripe-version")), (200, Some("2020-08-27")));
}

#[test]
fn thousands_of_accounts_are_possible() {
    let (client, control, accounts) =
        started(Simulator::builder(newest()).connected(3_000, &[("customer", 3)]));
    assert_eq!(accounts.len(), 3_000);
    for id in accounts.iter().step_by(3) {
        assert_eq!(rows(&client.ok_as(id, "/v1/customers")).len(), 3);
    }
    assert_eq!(control.all_counters().requests, 1_000);
}
