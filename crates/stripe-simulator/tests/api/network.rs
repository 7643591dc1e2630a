//! Faults as a client on a real socket meets them.

use stripe_simulator::{Fault, FaultRule, Running, Simulator};

use crate::client::newest;

async fn start(rule: FaultRule) -> (Running, reqwest::Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = Simulator::builder(newest()).table("charge", 50).fault(rule).start().await.unwrap();
    (running, reqwest::Client::new())
}

async fn get(running: &Running, http: &reqwest::Client) -> reqwest::Result<(u16, String)> {
    let url = format!("{}/v1/charges", running.url());
    let response = http.get(url).bearer_auth(running.api_key()).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test]
async fn connections_are_reset() {
    let (running, http) = start(FaultRule::nth("*", &[2], Fault::Reset)).await;
    assert_eq!(get(&running, &http).await.unwrap().0, 200);
    let error = get(&running, &http).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(get(&running, &http).await.unwrap().0, 200);
    let counters = running.control().counters();
    assert_eq!((counters.with_status(0), counters.with_status(200)), (1, 2));
    running.stop().await;
}

#[tokio::test]
async fn bodies_are_truncated() {
    let (running, http) = start(FaultRule::always("*", Fault::Truncated { percent: 50 })).await;
    let error = get(&running, &http).await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    running.stop().await;
}

#[tokio::test]
async fn bodies_trickle_and_arrive_whole() {
    let (running, http) = start(FaultRule::always("*", Fault::SlowBody { bytes_per_ms: 1_000 })).await;
    let (status, body) = get(&running, &http).await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    running.stop().await;
}

#[tokio::test]
async fn garbage_comes_with_status_200() {
    for (fault, begin) in [
        (Fault::Html, "<!DOCTYPE html>"),
        (Fault::ForeignJson, "{\"status\":\"ok\""),
        (Fault::WithoutData, "{\"object\":\"list\",\"has_more\":false"),
    ] {
        let (running, http) = start(FaultRule::always("/v1/*", fault)).await;
        let (status, body) = get(&running, &http).await.unwrap();
        assert_eq!(status, 200);
        assert!(body.starts_with(begin), "{body}");
        running.stop().await;
    }
}

#[tokio::test]
async fn dropping_stops_it() {
    let (running, http) = start(FaultRule::always("/v1/nothing", Fault::Html)).await;
    let (url, key) = (format!("{}/v1/charges", running.url()), running.api_key());
    assert_eq!(get(&running, &http).await.unwrap().0, 200);
    drop(running);
    // The listener closes as soon as its task runs; connections kept alive close with it.
    let mut refused = false;
    for _ in 0..200 {
        refused = reqwest::Client::new().get(&url).bearer_auth(&key).send().await.is_err();
        if refused {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused);
}
