//! Refusals, word by word.

use axum::body::Body;
use axum::http::Request;
use stripe_simulator::{Clock, Fault, FaultRule, Limits, Simulator};

use crate::client::{Client, newest};

fn small() -> Simulator {
    Simulator::builder(newest()).objects(3_000).build().unwrap()
}

fn refused(client: &Client, path: &str, status: u16, body: &str) {
    let answer = client.get(path);
    assert_eq!((answer.status, answer.text.as_str()), (status, body), "{path}");
}

#[test]
fn keys_are_checked() {
    let client = Client::new(&small());
    let asked = |key: Option<&str>| {
        let request = Request::get("/v1/charges");
        let request = match key {
            Some(key) => request.header("authorization", key),
            None => request,
        };
        client.send(request.body(Body::empty()).unwrap())
    };
    let none = asked(None);
    assert_eq!(none.status, 401);
    assert!(none.json()["error"]["message"].as_str().unwrap().starts_with("You did not provide an API key."));
    assert!(none.header("www-authenticate").is_some());
    let wrong = asked(Some("Bearer sk_test_wrongwrongwrong"));
    assert_eq!(
        (wrong.status, wrong.text.as_str()),
        (
            401,
            r#"{"error":{"message":"Invalid API Key provided: sk_test_***********rong","type":"invalid_request_error"}}"#
        )
    );
    assert_eq!(asked(Some("Bearer sk_test_simulated")).status, 200);
}

#[test]
fn versions_are_checked_and_named() {
    let client = Client::new(&small());
    let asked = |version: &str| {
        let request = Request::get("/v1/charges").header("authorization", "Bearer sk_test_simulated");
        client.send(request.header("stripe-version", version).body(Body::empty()).unwrap())
    };
    assert_eq!(asked("2017-01-01").status, 400);
    let served = newest().api_version.clone();
    let right = asked(&served);
    assert_eq!((right.status, right.header("stripe-version")), (200, Some(served.as_str())));
    assert!(right.header("request-id").unwrap().starts_with("req_"));
    assert!(right.header("date").unwrap().ends_with(" GMT"));
    assert_ne!(right.header("request-id"), asked(&served).header("request-id"));
}

#[test]
fn parameters_are_checked() {
    let client = Client::new(&small());
    refused(
        &client,
        "/v1/charges?foo=1",
        400,
        r#"{"error":{"code":"parameter_unknown","doc_url":"https://stripe.com/docs/error-codes/parameter-unknown","message":"Received unknown parameter: foo","param":"foo","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/charges?limit=101",
        400,
        r#"{"error":{"code":"parameter_invalid_integer","doc_url":"https://stripe.com/docs/error-codes/parameter-invalid-integer","message":"This value must be less than or equal to 100.","param":"limit","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/charges?created[gte]=soon",
        400,
        r#"{"error":{"code":"parameter_invalid_integer","doc_url":"https://stripe.com/docs/error-codes/parameter-invalid-integer","message":"Invalid integer: soon","param":"created[gte]","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/charges?starting_after=a&ending_before=b",
        400,
        r#"{"error":{"message":"Received both starting_after and ending_before parameters. Please pass in only one.","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/invoices?status=lost",
        400,
        r#"{"error":{"message":"Invalid status: must be one of draft, open, paid, uncollectible, or void","param":"status","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/subscription_items",
        400,
        r#"{"error":{"code":"parameter_missing","doc_url":"https://stripe.com/docs/error-codes/parameter-missing","message":"Missing required param: subscription.","param":"subscription","type":"invalid_request_error"}}"#,
    );
    for path in [
        "/v1/charges?limit=0",
        "/v1/charges?limit=x",
        "/v1/charges?created[near]=5",
        "/v1/country_specs?created[gte]=5",
        "/v1/charges?expand[]=data.nothing",
        "/v1/charges/ch_1?limit=3",
        "/v2/core/accounts?limit=21",
        "/v2/core/accounts?page=nonsense",
        "/v2/core/accounts?starting_after=acct_1",
    ] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let client = Client::new(&small());
    refused(
        &client,
        "/v1/charges/ch_x",
        404,
        r#"{"error":{"code":"resource_missing","doc_url":"https://stripe.com/docs/error-codes/resource-missing","message":"No such charge: 'ch_x'","param":"id","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/charges?starting_after=ch_x",
        400,
        r#"{"error":{"code":"resource_missing","doc_url":"https://stripe.com/docs/error-codes/resource-missing","message":"No such charge: 'ch_x'","param":"starting_after","type":"invalid_request_error"}}"#,
    );
    refused(
        &client,
        "/v1/x",
        404,
        r#"{"error":{"message":"Unrecognized request URL (GET: /v1/x). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.","type":"invalid_request_error"}}"#,
    );
    assert_eq!(client.get("/v1/invoices/in_x/lines").status, 404);
    assert_eq!(client.get("/v1/subscription_items?subscription=sub_x").status, 400);
}

#[test]
fn deleted_objects_are_no_cursors_and_some_are_remembered() {
    let simulator = small();
    let (client, control) = (Client::new(&simulator), simulator.control());
    for table in ["customer", "payout"] {
        let path = format!("/v1/{table}s");
        let first = client.ok(&path)["data"][0]["id"].as_str().unwrap().to_owned();
        control.delete(table, &first).unwrap();
        let after = client.get(&format!("{path}?starting_after={first}"));
        assert_eq!(after.status, 400);
        assert_eq!(after.json()["error"]["code"], "resource_missing");
        assert!(!client.get(&path).text.contains(&first));
        let answer = client.get(&format!("{path}/{first}"));
        match table {
            "customer" => {
                assert_eq!(answer.text, format!(r#"{{"id":"{first}","object":"customer","deleted":true}}"#));
            }
            _ => assert_eq!(answer.status, 404),
        }
    }
}

#[test]
fn restricted_keys_and_missing_features_are_refused_in_stripes_words() {
    let simulator = small();
    let (client, control) = (Client::new(&simulator), simulator.control());
    control.add_fault(FaultRule::always("/v1/charges", Fault::Forbidden));
    control.add_fault(FaultRule::always("/v1/account", Fault::Forbidden));
    let message = "Your account is not set up to use Issuing. Please visit https://dashboard.stripe.com/issuing/overview to get started.";
    let refused = Fault::Refused { status: 400, message: message.into(), code: None };
    control.add_fault(FaultRule::always("/v1/issuing/*", refused));
    let charges = client.get("/v1/charges");
    assert_eq!(
        (charges.status, charges.json()["error"]["message"].as_str().unwrap()),
        (
            403,
            "The provided key 'sk_test_*****ated' does not have the required permissions for this endpoint on account 'acct_1SimB7WZ01zgkWwI'. Having the 'rak_charge_read' permission would allow this request to continue."
        )
    );
    assert_eq!(client.get("/v1/account").status, 403);
    assert_eq!(client.get("/v1/issuing/cards").json()["error"]["message"], message);
    control.clear_faults();
    assert_eq!(client.ok("/v1/account")["id"], "acct_1SimB7WZ01zgkWwI");
}

#[test]
fn limits_are_stripes_and_name_their_reason() {
    let clock = Clock::manual(1_800_000_000);
    let limits = Limits { retry_after: Some(2), ..Limits::live() };
    let simulator =
        Simulator::builder(newest()).objects(500).limits(limits).clock(clock.clone()).build().unwrap();
    let client = Client::new(&simulator);
    for _ in 0..25 {
        assert_eq!(client.get("/v1/charges").status, 200);
    }
    let limited = client.get("/v1/charges");
    assert_eq!(
        (limited.status, limited.text.as_str()),
        (
            429,
            r#"{"error":{"code":"rate_limit","doc_url":"https://stripe.com/docs/error-codes/rate-limit","message":"Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.","type":"invalid_request_error"}}"#
        )
    );
    assert_eq!(limited.header("stripe-rate-limited-reason"), Some("endpoint-rate"));
    assert_eq!(limited.header("retry-after"), Some("2"));
    assert_eq!(limited.header("stripe-should-retry"), Some("true"));
    for path in ["/v1/refunds", "/v1/payouts", "/v1/customers"] {
        for _ in 0..25 {
            assert_eq!(client.get(path).status, 200);
        }
    }
    assert_eq!(client.get("/v1/invoices").header("stripe-rate-limited-reason"), Some("global-rate"));
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(client.get("/v1/charges").status, 200);
    assert_eq!(client.get("/v1/charges").header("date"), Some("Fri, 15 Jan 2027 08:00:01 GMT"));
    let counters = simulator.control().counters();
    assert_eq!((counters.with_status(429), counters.requests_to("/v1/charges")), (2, 28));
    let (first, second) = (counters.between(0, 1), counters.after(1));
    assert_eq!((first.requests, first.limited, first.passed()), (102, 2, 100));
    assert_eq!((second.requests, second.limited_share()), (2, 0.0));
    assert_eq!(counters.seconds.len(), 2);
    // Somebody else takes half of the budget, and gives it back.
    let control = simulator.control();
    let passed = || {
        clock.advance(std::time::Duration::from_secs(2));
        control.reset_counters();
        for path in ["/v1/refunds", "/v1/payouts", "/v1/customers", "/v1/charges"] {
            for _ in 0..25 {
                client.get(path);
            }
        }
        let counters = control.counters();
        assert_eq!(counters.after(0).passed(), counters.with_status(200));
        counters.with_status(200)
    };
    control.take_share(0.5);
    assert_eq!(passed(), 50);
    control.take_share(0.0);
    assert_eq!(passed(), 100);
}
