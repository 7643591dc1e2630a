//! What restricted keys may do.

use axum::body::Body;
use axum::http::{Method, Request};
use stripe_openapi::knowledge::permissions::{Access, needed};
use stripe_simulator::{Control, Permissions, Simulator};

use crate::client::{Answer, Client, newest};

const KEY: &str = "rk_test_1234567890abcd";

fn started(permissions: Permissions) -> (Client, Control) {
    let builder = Simulator::builder(newest()).objects(3_000).restricted_key(KEY, permissions);
    let simulator = builder.build().unwrap();
    (Client::new(&simulator), simulator.control())
}

fn ask(client: &Client, method: Method, path: &str, form: &str) -> Answer {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {KEY}"));
    client.send(request.body(Body::from(form.to_owned())).unwrap())
}

fn get(client: &Client, path: &str) -> Answer {
    ask(client, Method::GET, path, "")
}

/// The permission that the answer misses.
fn missing(answer: &Answer) -> String {
    assert_eq!(answer.status, 403, "{}", answer.text);
    let error = answer.json()["error"].clone();
    let message = error["message"].as_str().unwrap();
    let name = stripe_openapi::knowledge::refusals::missing_permission(message).unwrap().to_owned();
    assert_eq!(
        message,
        format!(
            "The provided key 'rk_test_**********abcd' does not have the required permissions for this endpoint on account 'acct_1SimB7WZ01zgkWwI'. Having the '{name}' permission would allow this request to continue."
        )
    );
    name
}

#[test]
fn every_list_names_the_permission_it_needs() {
    let (client, control) = started(Permissions::only([]));
    let catalog = newest();
    for (resource, list) in catalog.listable() {
        let name = needed(&resource.table, Access::Read);
        assert_eq!(missing(&get(&client, &list.path)), name, "{}", list.path);
        control.set_key(KEY, Permissions::only([name.as_str()]));
        // A list may want a parameter besides.
        assert!(matches!(get(&client, &list.path).status, 200 | 400), "{}", list.path);
        control.set_key(KEY, Permissions::read_all_but([name.as_str()]));
        assert_eq!(missing(&get(&client, &list.path)), name);
        control.set_key(KEY, Permissions::only([]));
    }
    for resource in &catalog.resources {
        let name = needed(&resource.table, Access::Read);
        let child_paths = resource.child_lists.iter().map(|child| &child.list.path);
        for path in child_paths.chain(&resource.retrieve_path) {
            let path = path.replace(['{', '}'], "");
            assert_eq!(missing(&get(&client, &path)), name, "{path}");
        }
    }
}

#[test]
fn every_kind_of_endpoint_is_guarded() {
    let (client, control) = started(Permissions::only([]));
    let charge = control.ids("charge").unwrap()[0].clone();
    let invoice = control.ids("invoice").unwrap()[0].clone();
    let named = |method: Method, path: &str| missing(&ask(&client, method, path, ""));
    assert_eq!(named(Method::GET, "/v1/account"), "rak_connected_account_read");
    assert_eq!(named(Method::GET, "/v1/events"), "rak_event_read");
    assert_eq!(named(Method::GET, "/v2/core/events"), "rak_event_read");
    assert_eq!(named(Method::GET, &format!("/v1/charges/{charge}")), "rak_charge_read");
    assert_eq!(named(Method::GET, &format!("/v1/invoices/{invoice}/lines")), "rak_invoice_read");
    assert_eq!(named(Method::GET, "/v1/webhook_endpoints"), "rak_webhook_read");
    assert_eq!(named(Method::POST, "/v1/webhook_endpoints"), "rak_webhook_write");
    assert_eq!(named(Method::POST, "/v1/webhook_endpoints/we_1"), "rak_webhook_write");
    assert_eq!(named(Method::DELETE, "/v1/webhook_endpoints/we_1"), "rak_webhook_write");
    assert_eq!(named(Method::POST, "/v1/stripecli/sessions"), "rak_stripecli_session_write");
    assert_eq!(get(&client, "/v1/nothing").status, 404);
    let form = "url=http%3A%2F%2Fa.b&enabled_events[]=*".replace('[', "%5B").replace(']', "%5D");
    control.set_key(KEY, Permissions::only(["rak_webhook_write"]));
    assert_eq!(ask(&client, Method::POST, "/v1/webhook_endpoints", &form).status, 200);
    assert_eq!(get(&client, "/v1/webhook_endpoints").status, 200, "who may write may read");
    control.set_key(KEY, Permissions::read_all_but(["rak_charge_read"]));
    assert_eq!(named(Method::POST, "/v1/webhook_endpoints"), "rak_webhook_write");
    assert_eq!(named(Method::GET, "/v1/refunds"), "rak_charge_read");
    assert_eq!(get(&client, &format!("/v1/invoices/{invoice}/lines")).status, 200);
}

#[test]
fn keys_come_and_go() {
    let (client, control) = started(Permissions::All);
    assert_eq!(get(&client, "/v1/charges").status, 200);
    assert_eq!(control.keys(), [(KEY.to_owned(), Permissions::All)]);
    assert!(control.remove_key(KEY) && !control.remove_key(KEY));
    assert_eq!(get(&client, "/v1/charges").status, 401);
    control.set_key(KEY, Permissions::only(["rak_charge_read"]));
    assert_eq!(get(&client, "/v1/charges").status, 200);
}
