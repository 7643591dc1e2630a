//! Webhook endpoints: made, listed, removed, and told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Control, DEFAULT_API_KEY, DeliverySettings, Running, Simulator};

use crate::client::{Answer, Client, newest};

fn ask(client: &Client, method: Method, path: &str, form: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {DEFAULT_API_KEY}"))
        .header("content-type", "application/x-www-form-urlencoded");
    client.send(request.body(Body::from(form.replace('[', "%5B").replace(']', "%5D"))).unwrap())
}

#[test]
fn endpoints_are_made_changed_and_removed() {
    let simulator = Simulator::builder(newest()).build().unwrap();
    let client = Client::new(&simulator);
    let path = "/v1/webhook_endpoints";
    let form = "url=https%3A%2F%2Fexample.com%2Fhook&enabled_events[]=customer.created&enabled_events[]=invoice.paid\
        &metadata[managed_by]=test&description=Mine&api_version=";
    let made = ask(&client, Method::POST, path, &format!("{form}{}", newest().api_version));
    assert_eq!(made.status, 200, "{}", made.text);
    let made = made.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&made["status"], &made["url"]), (&json!("enabled"), &json!("https://example.com/hook")));
    assert_eq!(made["enabled_events"], json!(["customer.created", "invoice.paid"]));
    assert_eq!(made["metadata"], json!({"managed_by": "test"}));
    assert_eq!(made["api_version"], newest().api_version);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(client.ok(&one)["secret"], Value::Null, "the secret is told once");
    assert_eq!(client.walk(&format!("{path}?limit=5")).len(), 1);
    let changed =
        ask(&client, Method::POST, &one, "disabled=true&metadata[managed_by]=&enabled_events[]=*").json();
    assert_eq!((&changed["status"], &changed["enabled_events"]), (&json!("disabled"), &json!(["*"])));
    assert_eq!(changed["metadata"], json!({}));
    let gone = ask(&client, Method::DELETE, &one, "").json();
    assert_eq!((&gone["deleted"], &gone["object"]), (&json!(true), &json!("webhook_endpoint")));
    assert_eq!(ask(&client, Method::DELETE, &one, "").status, 404);
    assert!(client.walk(&format!("{path}?limit=5")).is_empty());
}

#[test]
fn wrong_endpoints_and_too_many_are_refused() {
    let simulator = Simulator::builder(newest()).build().unwrap();
    let client = Client::new(&simulator);
    let post = |form: &str| ask(&client, Method::POST, "/v1/webhook_endpoints", form);
    let refused = |form: &str| {
        let answer = post(form);
        assert_eq!(answer.status, 400, "{form}");
        answer.json()["error"].clone()
    };
    assert_eq!(refused("url=http%3A%2F%2Fa.b")["param"], "enabled_events");
    assert_eq!(refused("enabled_events[]=*")["param"], "url");
    assert_eq!(refused("url=a.b&enabled_events[]=*")["code"], "url_invalid");
    assert_eq!(refused("url=http%3A%2F%2Fa.b&enabled_events[]=no.such")["param"], "enabled_events[0]");
    assert_eq!(refused("url=http%3A%2F%2Fa.b&enabled_events[]=*&colour=red")["code"], "parameter_unknown");
    assert_eq!(refused("url=http%3A%2F%2Fa.b&enabled_events[]=*&api_version=1")["param"], "api_version");
    for _ in 0..16 {
        assert_eq!(post("url=http%3A%2F%2Fa.b&enabled_events[]=*").status, 200);
    }
    let error = refused("url=http%3A%2F%2Fa.b&enabled_events[]=*");
    assert_eq!(error["message"], "You have reached the maximum of 16 test webhook endpoints.");
}

/// What came to an endpoint, and how often it refuses the first deliveries.
#[derive(Debug, Clone, Default)]
struct Inbox {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    refuse: Arc<Mutex<u32>>,
}

impl Inbox {
    /// Listens on a free port; answers the URL.
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn events(&self) -> Vec<Value> {
        self.got.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    inbox.got.lock().unwrap().push((headers, body));
    let mut refuse = inbox.refuse.lock().unwrap();
    match *refuse {
        0 => StatusCode::OK,
        _ => {
            *refuse -= 1;
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

async fn register(running: &Running, url: &str, form: &[(&str, &str)]) -> Value {
    let form: Vec<(&str, &str)> = [("url", url)].into_iter().chain(form.iter().copied()).collect();
    let request = reqwest::Client::new().post(format!("{}/v1/webhook_endpoints", running.url()));
    request.bearer_auth(DEFAULT_API_KEY).form(&form).send().await.unwrap().json().await.unwrap()
}

async fn delivered(control: &Control) {
    while control.pending_deliveries() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn started(settings: DeliverySettings) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let old = embedded::catalog("2020-08-27").unwrap();
    let builder = Simulator::builder(newest()).also_serve(old).delivery(settings).unsaid_changes(0);
    builder.start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_signed_at_the_version_of_the_endpoint() {
    let running = started(DeliverySettings::default()).await;
    let (inbox, control) = (Inbox::default(), running.control());
    let url = inbox.open().await;
    let wanted = [("enabled_events[]", "customer.created"), ("api_version", "2020-08-27")];
    let endpoint = register(&running, &url, &wanted).await;
    let id = control.create("customer", json!({})).unwrap().id;
    control.update("customer", &id, json!({"name": "N"})).unwrap();
    delivered(&control).await;
    let events = inbox.events();
    assert_eq!(events.len(), 1, "only what it wants");
    assert_eq!(
        (&events[0]["type"], &events[0]["api_version"]),
        (&json!("customer.created"), &json!("2020-08-27"))
    );
    assert_eq!(events[0]["pending_webhooks"], 1);
    let told = control.get("event", events[0]["id"].as_str().unwrap()).unwrap().unwrap();
    assert_eq!(told["api_version"], newest().api_version, "the list has the account's version");
    let (headers, body) = inbox.got.lock().unwrap()[0].clone();
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    let (second, code) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, endpoint["secret"].as_str().unwrap().as_bytes());
    let signed = [second.as_bytes(), b".", &body].concat();
    ring::hmac::verify(&key, &signed, &hex::decode(code).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_deliveries_are_made_again() {
    let running = started(DeliverySettings { retry_ms: 5, ..DeliverySettings::default() }).await;
    let (inbox, control) = (Inbox::default(), running.control());
    let url = inbox.open().await;
    register(&running, &url, &[("enabled_events[]", "*")]).await;
    *inbox.refuse.lock().unwrap() = 3;
    control.create("customer", json!({})).unwrap();
    control.create("v2_core_account", json!({})).unwrap();
    delivered(&control).await;
    let events = inbox.events();
    assert_eq!(events.len(), 5);
    let thin: Vec<&Value> = events.iter().filter(|event| event["object"] == "v2.core.event").collect();
    assert!(!thin.is_empty() && thin.iter().all(|event| event.get("data").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_lost_doubled_and_disordered_on_request() {
    let rough = DeliverySettings {
        dropped: 0.2,
        duplicated: 0.3,
        delayed: 0.5,
        delay_ms: 100,
        ..DeliverySettings::default()
    };
    let running = started(rough).await;
    let (inbox, control) = (Inbox::default(), running.control());
    let url = inbox.open().await;
    register(&running, &url, &[("enabled_events[]", "*")]).await;
    let made = control.create_many("customer", 200).unwrap();
    delivered(&control).await;
    let got: Vec<String> =
        inbox.events().iter().map(|e| e["data"]["object"]["id"].as_str().unwrap().to_owned()).collect();
    let distinct: std::collections::BTreeSet<&String> = got.iter().collect();
    assert!((120..190).contains(&distinct.len()), "{}", distinct.len());
    assert!(got.len() > distinct.len());
    let places: Vec<usize> =
        got.iter().map(|id| made.iter().position(|other| other == id).unwrap()).collect();
    assert!(!places.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_endpoints_get_the_events_of_connected_accounts() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let old = embedded::catalog("2020-08-27").unwrap();
    let builder = Simulator::builder(newest()).also_serve(old).connected(2, &[("customer", 3)]);
    let running = builder.unsaid_changes(0).start().await.unwrap();
    let control = running.control();
    let id = control.ids("account").unwrap()[0].clone();
    let shop = control.account(&id).unwrap();
    let (direct, connect, own) = (Inbox::default(), Inbox::default(), Inbox::default());
    register(&running, &direct.open().await, &[("enabled_events[]", "*")]).await;
    let form = [("enabled_events[]", "*"), ("connect", "true"), ("api_version", "2020-08-27")];
    register(&running, &connect.open().await, &form).await;
    let request = reqwest::Client::new().post(format!("{}/v1/webhook_endpoints", running.url()));
    let form = [("url", own.open().await), ("enabled_events[]", "customer.created".to_owned())];
    let made =
        request.bearer_auth(DEFAULT_API_KEY).header("stripe-account", &id).form(&form).send().await.unwrap();
    assert_eq!(made.status(), 200);
    assert_eq!((control.count("webhook_endpoint").unwrap(), shop.count("webhook_endpoint").unwrap()), (2, 1));
    control.create("customer", json!({})).unwrap();
    let made = shop.create("customer", json!({})).unwrap().id;
    control.update("account", &id, json!({"email": "x@example.com"})).unwrap();
    delivered(&control).await;
    let kinds = |inbox: &Inbox| {
        let mut kinds: Vec<String> =
            inbox.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&direct), ["customer.created"]);
    assert!(direct.events()[0].get("account").is_none());
    assert_eq!(kinds(&connect), ["account.updated", "customer.created"]);
    assert!(
        connect.events().iter().all(|event| event["account"] == id && event["api_version"] == "2020-08-27")
    );
    assert_eq!(kinds(&own), ["customer.created"]);
    assert_eq!(own.events()[0]["data"]["object"]["id"], made);
    control.revoke(&id).unwrap();
    shop.create("customer", json!({})).unwrap();
    delivered(&control).await;
    assert_eq!(connect.events().len(), 2, "the platform is not told any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn thin_events_name_their_object_only() {
    let running = started(DeliverySettings::default()).await;
    let (inbox, control) = (Inbox::default(), running.control());
    register(&running, &inbox.open().await, &[("enabled_events[]", "*")]).await;
    let id = control.create("v2_core_account", json!({})).unwrap().id;
    delivered(&control).await;
    let event = inbox.events()[0].clone();
    let mut keys: Vec<&String> = event.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["context", "created", "id", "livemode", "object", "reason", "related_object", "type"]);
    let url = format!("/v2/core/accounts/{id}");
    assert_eq!(event["related_object"], json!({"id": id, "type": "v2.core.account", "url": url}));
    assert_eq!((&event["object"], &event["context"]), (&json!("v2.core.event"), &Value::Null));
    let get = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", running.url()));
        request.bearer_auth(DEFAULT_API_KEY).send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(get(&format!("/v2/core/events/{}", event["id"].as_str().unwrap())).await, event);
    assert_eq!(get(&url).await["id"], id, "which can be read there");
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_and_disabled_endpoints_get_nothing() {
    let running = started(DeliverySettings::default()).await;
    let (inbox, control) = (Inbox::default(), running.control());
    let url = inbox.open().await;
    let first = register(&running, &url, &[("enabled_events[]", "*")]).await["id"].clone();
    let second = register(&running, &url, &[("enabled_events[]", "*")]).await["id"].clone();
    control.delete("webhook_endpoint", first.as_str().unwrap()).unwrap();
    control.update("webhook_endpoint", second.as_str().unwrap(), json!({"status": "disabled"})).unwrap();
    control.create("customer", json!({})).unwrap();
    delivered(&control).await;
    assert!(inbox.events().is_empty());
    assert_eq!(control.count("event").unwrap(), 1);
}
