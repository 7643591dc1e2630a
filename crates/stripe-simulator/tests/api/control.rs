//! Changing the account, in the process and over HTTP.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Clock, DEFAULT_API_KEY, Simulator, SimulatorError};

use crate::client::{Client, ids, newest};

#[test]
fn objects_are_created_changed_and_deleted() {
    let clock = Clock::manual(1_900_000_000);
    let simulator =
        Simulator::builder(newest()).table("customer", 25).livemode(true).clock(clock).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let created =
        control.create("customer", json!({"email": "new@example.com", "metadata": {"a": "1"}})).unwrap();
    assert!(created.before.is_none());
    let path = format!("/v1/customers/{}", created.id);
    let first = &client.ok("/v1/customers?limit=1")["data"][0];
    assert_eq!((&first["id"], &first["created"]), (&json!(created.id), &json!(1_900_000_000)));
    let changed = control
        .update("customer", &created.id, json!({"email": null, "metadata": {"a": null, "b": "2"}}))
        .unwrap();
    assert_eq!(changed.before.unwrap()["email"], "new@example.com");
    let now = client.ok(&path);
    assert_eq!((&now["email"], &now["metadata"]), (&Value::Null, &json!({"b": "2"})));
    let named = control.create("customer", json!({"id": "cus_chosen", "created": 1_700_000_000})).unwrap();
    assert_eq!(named.id, "cus_chosen");
    assert_eq!(client.ok("/v1/customers/cus_chosen")["created"], 1_700_000_000);
    assert_eq!(control.count("customer").unwrap(), 27);
    assert!(control.delete("customer", "cus_chosen").unwrap().after.is_none());
    assert_eq!(client.walk("/v1/customers?limit=7").len(), 26);
    assert!(matches!(control.delete("customer", "cus_chosen"), Err(SimulatorError::NoSuchObject { .. })));
    assert!(matches!(control.create("nothing", json!({})), Err(SimulatorError::UnknownTable { .. })));
    assert!(matches!(
        control.update("customer", &created.id, json!({"created": 5})),
        Err(SimulatorError::FixedProperty { .. })
    ));
    assert!(matches!(
        control.create("customer", json!({"id": created.id})),
        Err(SimulatorError::Exists { .. })
    ));
    assert_eq!(control.create_many("customer", 3).unwrap().len(), 3);
}

#[test]
fn unknown_tables_are_refused_at_once() {
    let error = Simulator::builder(newest()).table("chargers", 5).build().unwrap_err();
    assert!(error.to_string().contains("chargers"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_use_the_control_api() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running =
        Simulator::builder(newest()).table("customer", 40).table("invoice", 30).start().await.unwrap();
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", running.url());
    let made: Value = http
        .post(url("/_sim/objects/customer"))
        .json(&json!({"email": "x@example.com"}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let path = format!("/_sim/objects/customer/{}", made["id"].as_str().unwrap());
    let patched: Value =
        http.patch(url(&path)).json(&json!({"name": "N"})).send().await.unwrap().json().await.unwrap();
    assert_eq!((&patched["email"], &patched["name"]), (&json!("x@example.com"), &json!("N")));
    assert_eq!(http.delete(url(&path)).send().await.unwrap().status(), 200);
    assert_eq!(http.get(url(&path)).send().await.unwrap().status(), 404);
    let tables: Vec<Value> = http.get(url("/_sim/tables")).send().await.unwrap().json().await.unwrap();
    assert!(tables.contains(&json!({"table": "customer", "count": 40})));
    let stirred = http.post(url("/_sim/stir")).json(&json!({"seed": 3, "count": 20})).send().await.unwrap();
    assert!(stirred.json::<Value>().await.unwrap()["changes"].as_u64() >= Some(20));
    let late = json!({"late_share": 1.0, "late_most": 60});
    assert_eq!(http.put(url("/_sim/events")).json(&late).send().await.unwrap().status(), 204);
    let rough = json!({"dropped": 0.5, "retries": 2});
    assert_eq!(http.put(url("/_sim/delivery")).json(&rough).send().await.unwrap().status(), 204);
    let pending: Value = http.get(url("/_sim/delivery")).send().await.unwrap().json().await.unwrap();
    assert_eq!(pending, json!({"pending": 0}));
    assert_eq!(http.delete(url("/_sim/sessions")).send().await.unwrap().status(), 204);
    let told = http.get(url("/_sim/dump/event")).send().await.unwrap().text().await.unwrap();
    assert!(told.lines().count() >= 20);
    let dump = http.get(url("/_sim/dump/invoice?nested=full")).send().await.unwrap().text().await.unwrap();
    let rows: Vec<Value> = dump.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut expected = running.control().ids("invoice").unwrap();
    let mut dumped = ids(&rows);
    expected.sort();
    dumped.sort();
    assert_eq!(dumped, expected);
    let rule = json!({"path": "/v1/*", "when": {"nth": [1]}, "fault": {"status": 503}});
    let number: Value =
        http.post(url("/_sim/faults")).json(&rule).send().await.unwrap().json().await.unwrap();
    let asked = || async {
        let request = http.get(url("/v1/customers")).bearer_auth(running.api_key());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((asked().await, asked().await), (503, 200));
    let removed = http.delete(url(&format!("/_sim/faults/{}", number["number"]))).send().await.unwrap();
    assert_eq!(removed.status(), 204);
    let limits = json!({"global_per_second": 1});
    assert_eq!(http.put(url("/_sim/limits")).json(&limits).send().await.unwrap().status(), 204);
    assert_eq!(asked().await, 200);
    assert_eq!(asked().await, 429);
    let counters: Value = http.get(url("/_sim/counters")).send().await.unwrap().json().await.unwrap();
    assert_eq!(counters["requests"], 4);
    assert_eq!(counters["endpoints"]["/v1/customers"]["by_status"], json!({"200": 2, "429": 1, "503": 1}));
    http.delete(url("/_sim/counters")).send().await.unwrap();
    assert_eq!(running.control().counters().requests, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_keys_and_shares_are_controlled_by_other_processes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = Simulator::builder(newest()).connected(2, &[("customer", 4)]).start().await.unwrap();
    let control = running.control();
    let id = control.ids("account").unwrap()[0].clone();
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", running.url());
    let shop =
        |method: reqwest::Method, path: &str| http.request(method, url(path)).header("stripe-account", &id);
    let made = shop(reqwest::Method::POST, "/_sim/objects/customer").json(&json!({"name": "N"}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let told = control.account(&id).unwrap();
    assert_eq!(told.get("customer", made["id"].as_str().unwrap()).unwrap(), Some(made));
    assert_eq!((told.count("customer").unwrap(), control.count("customer").unwrap()), (5, 0));
    let dump = shop(reqwest::Method::GET, "/_sim/dump/customer").send().await.unwrap().text().await.unwrap();
    assert_eq!(dump.lines().count(), 5);
    let strange =
        http.get(url("/_sim/tables")).header("stripe-account", "acct_strange").send().await.unwrap();
    assert_eq!(strange.status(), 404);
    let asked = async |key: &str| {
        let request = shop(reqwest::Method::GET, "/v1/customers").bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(asked(DEFAULT_API_KEY).await, 200);
    let access = url(&format!("/_sim/accounts/{id}"));
    assert_eq!(http.delete(&access).send().await.unwrap().status(), 204);
    assert_eq!(asked(DEFAULT_API_KEY).await, 403);
    assert_eq!(http.put(&access).send().await.unwrap().status(), 204);
    assert_eq!(http.put(url("/_sim/accounts/acct_strange")).send().await.unwrap().status(), 404);
    let key = url("/_sim/keys/rk_test_1");
    assert_eq!(asked("rk_test_1").await, 401);
    for (permissions, status) in
        [(json!({"only": ["rak_customer_read"]}), 200), (json!({"read_all_but": ["rak_customer_read"]}), 403)]
    {
        assert_eq!(http.put(&key).json(&permissions).send().await.unwrap().status(), 204);
        assert_eq!(asked("rk_test_1").await, status);
    }
    let keys: Value = http.get(url("/_sim/keys")).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        keys,
        json!([
            {"key": DEFAULT_API_KEY, "permissions": "all"},
            {"key": "rk_test_1", "permissions": {"read_all_but": ["rak_customer_read"]}}
        ])
    );
    assert_eq!(http.delete(&key).send().await.unwrap().status(), 204);
    assert_eq!(http.delete(&key).send().await.unwrap().status(), 404);
    let counted = async |path: &str| {
        let counters: Value = http.get(url(path)).send().await.unwrap().json().await.unwrap();
        counters["requests"].clone()
    };
    // Requests that are let in nowhere count for the platform: the unknown key, the revoked access.
    assert_eq!(counted("/_sim/counters").await, 2);
    assert_eq!(counted("/_sim/counters?accounts=all").await, 5);
    assert_eq!(
        http.put(url("/_sim/limits")).json(&json!({"global_per_second": 100})).send().await.unwrap().status(),
        204
    );
    assert_eq!(http.put(url("/_sim/share")).json(&1.0).send().await.unwrap().status(), 204);
    let own = http.get(url("/v1/customers")).bearer_auth(DEFAULT_API_KEY).send().await.unwrap();
    assert_eq!((own.status().as_u16(), asked(DEFAULT_API_KEY).await), (429, 200));
    running.stop().await;
}

#[test]
fn counters_count_objects_and_endpoints() {
    let simulator = Simulator::builder(newest()).table("charge", 30).build().unwrap();
    let client = Client::new(&simulator);
    let row = client.ok("/v1/charges?limit=20")["data"][0]["id"].as_str().unwrap().to_owned();
    client.ok(&format!("/v1/charges/{row}"));
    client.get("/v1/nothing");
    let counters = simulator.control().counters();
    assert_eq!((counters.requests, counters.objects, counters.peak_concurrency), (3, 21, 1));
    assert_eq!(counters.requests_to("/v1/charges/{charge}"), 1);
    assert_eq!(counters.requests_to("unknown"), 1);
    assert!(counters.first_request.unwrap() <= counters.last_request.unwrap());
    simulator.control().reset_counters();
    assert_eq!(simulator.control().counters().requests, 0);
}

#[test]
fn one_account_is_seen_through_several_versions() {
    let old = embedded::catalog("2020-08-27").unwrap();
    let simulator = Simulator::builder(newest()).objects(2_000).also_serve(old).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let ask = |path: &str, version: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {DEFAULT_API_KEY}"));
        let answer = client.send(request.header("stripe-version", version).body(Body::empty()).unwrap());
        assert_eq!(answer.header("stripe-version"), Some(version));
        answer.json()
    };
    let newest = embedded::newest_version();
    let invoice = control.create("invoice", json!({"total": 77})).unwrap().id;
    let gone = control.ids("charge").unwrap().pop().unwrap();
    control.delete("charge", &gone).unwrap();
    for path in ["/v1/charges?limit=100", "/v1/invoices?limit=100", "/v1/customers?limit=100"] {
        let (new, old) = (ask(path, newest), ask(path, "2020-08-27"));
        let rows = |page: &Value| ids(page["data"].as_array().unwrap());
        assert_eq!(rows(&new), rows(&old), "{path}");
        assert!(!rows(&new).contains(&gone));
    }
    let invoice = ask(&format!("/v1/invoices/{invoice}"), "2020-08-27");
    assert_eq!((&invoice["total"], invoice.get("charge").is_some()), (&json!(77), true));
}

#[test]
fn children_go_with_their_parent() {
    let simulator = Simulator::builder(newest()).table("invoice", 5).build().unwrap();
    let (client, control) = (Client::new(&simulator), simulator.control());
    let invoice = control.ids("invoice").unwrap().pop().unwrap();
    control.create("line_item", json!({"parent": invoice})).unwrap();
    let before = control.count("line_item").unwrap();
    let lines = client.walk(&format!("/v1/invoices/{invoice}/lines?limit=5")).len() as u64;
    control.delete("invoice", &invoice).unwrap();
    assert_eq!(control.count("line_item").unwrap(), before - lines);
    assert_eq!(client.get(&format!("/v1/invoices/{invoice}/lines")).status, 404);
}
