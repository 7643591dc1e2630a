//! Endpoints that somebody else made at the same address.

use serde_json::json;

use crate::account::{Account, URL};

#[tokio::test]
async fn an_endpoint_of_another_implementation_is_adopted() {
    let account = Account::start().await;
    let version = account.running.api_version();
    let form = [
        ("url", URL),
        ("enabled_events[]", "*"),
        ("metadata[managed_by]", "stripe-sync"),
        ("api_version", version.as_str()),
    ];
    let theirs = account.post(&form).await;
    let mut pipeline = account.pipeline(&json!({"webhook_secret": theirs["secret"]}));
    let said = pipeline.set_up(&["customer"]).await;
    assert!(said.log.contains("adopted"), "{}", said.log);
    let endpoint = account.endpoint();
    assert_eq!(endpoint["id"], theirs["id"]);
    assert_eq!(endpoint["enabled_events"].as_array().unwrap().len(), 3);
    assert_eq!(pipeline.set_up(&["customer"]).await.log, "");
    pipeline.tear_down().await;
    assert!(account.endpoints().is_empty());
}

#[tokio::test]
async fn two_pipelines_at_one_address_have_an_endpoint_each() {
    let account = Account::start().await;
    let mut first = account.pipeline(&json!({}));
    let mut second = account.pipeline(&json!({"api_version": "2024-06-20"}));
    first.set_up(&["customer"]).await;
    let said = second.set_up(&["product"]).await;
    assert!(said.log.contains("belongs to another pipeline"), "{}", said.log);
    assert_eq!(account.endpoints().len(), 2);
    assert_ne!(first.secret(), second.secret());
    // Which is which is known by the secret, whatever the version.
    second.config.insert("api_version".to_owned(), account.running.api_version().into());
    second.set_up(&["product"]).await;
    assert_eq!(account.endpoints().len(), 2);
    first.tear_down().await;
    assert_eq!(account.endpoint()["enabled_events"][0], "product.created");
    second.tear_down().await;
    assert!(account.endpoints().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_was_made_by_hand_is_used_as_it_is() {
    let account = Account::start().await;
    let theirs = account.post(&[("url", URL), ("enabled_events[]", "customer.created")]).await;
    let mut pipeline = account.pipeline(&json!({"webhook_secret": theirs["secret"]}));
    let said = pipeline.set_up(&["customer"]).await;
    assert!(said.log.contains("was not registered by a sync"), "{}", said.log);
    assert_eq!(account.endpoint()["enabled_events"], json!(["customer.created"]));
    assert_eq!(pipeline.secret(), theirs["secret"].as_str().unwrap());
    pipeline.tear_down().await;
    assert_eq!(account.endpoint()["id"], theirs["id"]);
}
