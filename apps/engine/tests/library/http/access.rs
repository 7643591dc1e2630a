//! Who is let in.

use engine::api::ApiOptions;
use secrecy::SecretString;
use serde_json::json;

use super::served::{Answered, Served, echo_pipeline};
use crate::script::echo;

#[tokio::test]
async fn with_a_token_only_who_knows_it_is_answered() {
    let token = Some(SecretString::from("open sesame".to_owned()));
    let served = Served::with(echo(), ApiOptions { token, ..ApiOptions::default() }).await;
    let body = json!({"pipeline": echo_pipeline()});
    for path in ["/pipeline_check", "/nothing"] {
        for request in [served.post(path, &body), served.post(path, &body).bearer_auth("open")] {
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            let answered = Answered::read(response).await;
            assert_eq!(answered.status, 401);
            assert!(answered.json()["error"].as_str().unwrap().contains("Authorization: Bearer"));
        }
    }
    let answered = Answered::of(served.post("/pipeline_check", &body).bearer_auth("open sesame")).await;
    assert_eq!(answered.status, 200);
    for open in ["/health", "/ready"] {
        assert_eq!(Answered::of(served.get(open)).await.status, 200, "probes know no token");
    }
    let page = Answered::of(served.get("/docs")).await;
    assert_eq!(page.status, 200, "the page asks for the token itself");
    for closed in ["/metrics", "/openapi.json", "/docs/", "/docs/x"] {
        assert_eq!(Answered::of(served.get(closed)).await.status, 401, "{closed}");
    }
}

#[tokio::test]
async fn without_one_no_web_page_gets_in_by_a_name_of_its_own() {
    let served = Served::start(echo()).await;
    let body = json!({"pipeline": echo_pipeline()});
    let answered = Answered::of(served.post("/pipeline_check", &body).header("Host", "evil.example")).await;
    assert_eq!(answered.status, 403);
    let local = served.post("/pipeline_check", &body).header("Host", "localhost:3000");
    assert_eq!(Answered::of(local).await.status, 200);
}
