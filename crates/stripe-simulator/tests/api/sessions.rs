//! The Stripe CLI's feed of events.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use stripe_simulator::{DEFAULT_API_KEY, DeliverySettings, Running, Simulator};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::newest;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn started(settings: DeliverySettings) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Simulator::builder(newest()).delivery(settings).start().await.unwrap()
}

async fn session(running: &Running) -> Value {
    let form = [("device_name", "test"), ("websocket_features[]", "webhooks")];
    let request = reqwest::Client::new().post(format!("{}/v1/stripecli/sessions", running.url()));
    request.bearer_auth(DEFAULT_API_KEY).form(&form).send().await.unwrap().json().await.unwrap()
}

async fn connect(session: &Value) -> Result<Socket, Error> {
    let url = format!(
        "{}?websocket_feature={}",
        session["websocket_url"].as_str().unwrap(),
        session["websocket_authorized_feature"].as_str().unwrap()
    );
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("websocket-id", session["websocket_id"].as_str().unwrap().parse().unwrap());
    Ok(connect_async(request).await?.0)
}

/// The next event message; `None` when the connection ends.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn acknowledge(socket: &mut Socket, message: &Value) {
    let id = &message["webhook_id"];
    let ack = json!({"type": "event_ack", "event_id": id, "webhook_id": id,
        "webhook_conversation_id": message["webhook_conversation_id"]});
    socket.send(Message::Text(ack.to_string().into())).await.unwrap();
    let response = json!({"type": "webhook_response", "webhook_id": id, "status": 200});
    socket.send(Message::Text(response.to_string().into())).await.unwrap();
}

fn event(message: &Value) -> Value {
    serde_json::from_str(message["event_payload"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_sent_until_they_are_acknowledged() {
    let running = started(DeliverySettings::default()).await;
    let (control, session) = (running.control(), session(&running).await);
    assert_eq!(session["reconnect_delay"], 60);
    let mut socket = connect(&session).await.unwrap();
    let made = control.create_many("customer", 3).unwrap();
    control.create("v2_core_account", json!({})).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(next(&mut socket).await.unwrap());
    }
    let first = &seen[0];
    assert_eq!(first["type"], "webhook_event");
    assert_eq!(event(first)["data"]["object"]["id"], made[0]);
    assert_eq!(event(&seen[3])["object"], "v2.core.event");
    let signature = first["http_headers"]["Stripe-Signature"].as_str().unwrap();
    let (second, code) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, session["secret"].as_str().unwrap().as_bytes());
    let signed = format!("{second}.{}", first["event_payload"].as_str().unwrap());
    ring::hmac::verify(&key, signed.as_bytes(), &hex::decode(code).unwrap()).unwrap();
    acknowledge(&mut socket, first).await;
    acknowledge(&mut socket, &seen[3]).await;
    // A pong says that everything before the ping was read.
    socket.send(Message::Ping("p".into())).await.unwrap();
    while !matches!(socket.next().await.unwrap().unwrap(), Message::Pong(_)) {}
    assert_eq!(control.pending_deliveries(), 2);
    drop(socket);
    let mut socket = connect(&session).await.unwrap();
    for row in [1, 2] {
        let message = next(&mut socket).await.unwrap();
        assert_eq!(event(&message)["data"]["object"]["id"], made[row], "sent again");
        acknowledge(&mut socket, &message).await;
    }
    while control.pending_deliveries() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_break_close_and_end() {
    let settings = DeliverySettings { break_after: 2, reconnect_seconds: 1, ..DeliverySettings::default() };
    let running = started(settings.clone()).await;
    let (control, session) = (running.control(), session(&running).await);
    let mut socket = connect(&session).await.unwrap();
    control.create_many("customer", 5).unwrap();
    assert!(next(&mut socket).await.is_some() && next(&mut socket).await.is_some());
    assert!(next(&mut socket).await.is_none(), "broken off after two");
    control.set_delivery(DeliverySettings { break_after: 0, ..settings });
    let mut socket = connect(&session).await.unwrap();
    for _ in 0..5 {
        assert!(next(&mut socket).await.is_some());
    }
    assert!(next(&mut socket).await.is_none(), "closed after `reconnect_delay`");
    let mut socket = connect(&session).await.unwrap();
    control.end_sessions();
    while next(&mut socket).await.is_some() {}
    let Err(Error::Http(refused)) = connect(&session).await else { panic!("the session has ended") };
    assert_eq!(refused.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_get_the_events_of_connected_accounts_if_they_ask() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = Simulator::builder(newest()).connected(1, &[("customer", 3)]).start().await.unwrap();
    let control = running.control();
    let shop = control.account(&control.ids("account").unwrap()[0]).unwrap();
    let open = async |form: &[(&str, &str)]| {
        let form = [&[("device_name", "test"), ("websocket_features[]", "webhooks")], form].concat();
        let request = reqwest::Client::new().post(format!("{}/v1/stripecli/sessions", running.url()));
        request.bearer_auth(DEFAULT_API_KEY).form(&form).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let mut plain = connect(&open(&[]).await).await.unwrap();
    let mut both = connect(&open(&[("forward_connect_to_url", "http://127.0.0.1")]).await).await.unwrap();
    shop.create("customer", json!({})).unwrap();
    control.create("product", json!({})).unwrap();
    let first = event(&next(&mut both).await.unwrap());
    assert_eq!((&first["type"], &first["account"]), (&json!("customer.created"), &json!(shop.account_id())));
    assert_eq!(event(&next(&mut both).await.unwrap())["type"], "product.created");
    assert_eq!(event(&next(&mut plain).await.unwrap())["type"], "product.created");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_need_a_device_and_a_feature() {
    let running = started(DeliverySettings::default()).await;
    let url = format!("{}/v1/stripecli/sessions", running.url());
    let ask = async |form: &[(&str, &str)]| {
        let request = reqwest::Client::new().post(&url).bearer_auth(DEFAULT_API_KEY).form(form);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&[("websocket_features[]", "webhooks")]).await, 400);
    assert_eq!(ask(&[("device_name", "d")]).await, 400);
    assert_eq!(ask(&[("device_name", "d"), ("websocket_features[]", "request_logs")]).await, 400);
    assert_eq!(reqwest::Client::new().post(&url).send().await.unwrap().status(), 401);
}
