//! Endpoints of one pipeline.

use protocol::{ConfiguredCatalog, ErrorKind, Source};
use serde_json::{Value, json};
use source_stripe::{StripeConfig, StripeSource};
use stripe_simulator::{Fault, FaultRule, When};

use crate::account::{Account, URL};

#[tokio::test]
async fn an_endpoint_is_registered_with_what_is_needed_and_its_secret_kept() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    let said = pipeline.set_up(&["customer", "tax_code"]).await;
    assert!(said.error.is_none(), "{said:?}");
    let endpoint = account.endpoint();
    assert_eq!(endpoint["url"], URL);
    assert_eq!(endpoint["api_version"], account.running.api_version());
    assert_eq!(
        endpoint["enabled_events"],
        json!(["customer.created", "customer.deleted", "customer.updated"])
    );
    assert_eq!(endpoint["metadata"]["managed_by"], "stripe-sync");
    assert_eq!(endpoint["metadata"]["pipeline"].as_str().unwrap().len(), 16);
    assert!(pipeline.secret().starts_with("whsec_"));
    assert!(pipeline.config["account_id"].as_str().unwrap().starts_with("acct_"), "one message holds it all");
    assert_eq!(said.controls, 1);
    assert!(said.log.contains("registered webhook endpoint we_"), "{}", said.log);
    assert!(said.log.contains("no webhook tells of changes in tax_code"), "{}", said.log);
    assert!(!said.log.contains(pipeline.secret()));
}

#[tokio::test]
async fn setting_up_again_changes_only_what_has_to_change() {
    let account = Account::start().await;
    let control = account.running.control();
    let mut pipeline = account.pipeline(&json!({}));
    pipeline.set_up(&["customer"]).await;
    let (first, secret) = (account.endpoint(), pipeline.secret().to_owned());
    let again = pipeline.set_up(&["customer"]).await;
    assert_eq!((again.controls, again.log.as_str()), (0, ""));
    assert_eq!(account.endpoint(), first);
    control.update("webhook_endpoint", first["id"].as_str().unwrap(), json!({"status": "disabled"})).unwrap();
    let said = pipeline.set_up(&["customer", "product"]).await;
    assert!(said.log.contains("enabled again") && said.log.contains("6 types of events"), "{}", said.log);
    let endpoint = account.endpoint();
    assert_eq!((&endpoint["id"], &endpoint["status"]), (&first["id"], &json!("enabled")));
    assert_eq!(endpoint["enabled_events"].as_array().unwrap().len(), 6);
    assert_eq!(pipeline.secret(), secret);
}

#[tokio::test]
async fn a_lost_secret_or_another_version_needs_a_new_endpoint() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    pipeline.set_up(&["customer"]).await;
    let (first, secret) = (account.endpoint(), pipeline.secret().to_owned());
    pipeline.config.remove("webhook_secret");
    let said = pipeline.set_up(&["customer"]).await;
    assert!(said.log.contains("tells a secret only once"), "{}", said.log);
    assert_ne!(account.endpoint()["id"], first["id"]);
    assert_ne!(pipeline.secret(), secret);
    pipeline.config.insert("api_version".to_owned(), "2024-06-20".into());
    pipeline.set_up(&["customer"]).await;
    assert_eq!(account.endpoint()["api_version"], "2024-06-20");
}

#[tokio::test]
async fn teardown_removes_it_and_may_be_repeated() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    pipeline.set_up(&["customer"]).await;
    account.post(&[("url", URL), ("enabled_events[]", "*")]).await;
    let said = pipeline.tear_down().await;
    assert!(said.error.is_none() && said.log.contains("removed webhook endpoint we_"), "{said:?}");
    assert_eq!(account.endpoint()["metadata"], json!({}), "the one that was made by hand stays");
    let again = pipeline.tear_down().await;
    assert!(again.error.is_none() && again.log.is_empty(), "{again:?}");
}

#[tokio::test]
async fn all_endpoints_are_looked_through() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    pipeline.set_up(&["customer"]).await;
    for number in 0..250 {
        let fields = json!({"url": format!("https://example.com/{number}"), "status": "enabled"});
        account.running.control().create("webhook_endpoint", fields).unwrap();
    }
    assert_eq!(pipeline.set_up(&["customer"]).await.log, "");
    pipeline.tear_down().await;
    assert_eq!(account.endpoints().len(), 250);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let account = Account::start().await;
    let control = account.running.control();
    let refused =
        async |changes: Value| account.pipeline(&changes).set_up(&["customer"]).await.error.unwrap();
    for number in 0..16 {
        let url = format!("https://example.com/{number}");
        account.post(&[("url", &url), ("enabled_events[]", "*")]).await;
    }
    let full = refused(json!({})).await;
    assert_eq!(full.kind(), ErrorKind::Permanent);
    assert!(
        full.to_string().contains("Stripe allows 16") && full.to_string().contains("poll_events"),
        "{full}"
    );
    let forbidden = Fault::Refused { status: 403, message: "rak_webhook_write".to_owned(), code: None };
    let fault = control.add_fault(FaultRule::always("/v1/webhook_endpoints", forbidden));
    let forbidden = refused(json!({})).await;
    assert_eq!(forbidden.kind(), ErrorKind::Auth);
    assert!(forbidden.to_string().contains("write access"), "{forbidden}");
    control.remove_fault(fault);
    let fault = FaultRule {
        path: "/v1/webhook_endpoints".to_owned(),
        when: When::First(1),
        fault: Fault::Status(503),
    };
    control.add_fault(fault);
    assert!(refused(json!({})).await.to_string().contains("Stripe allows 16"), "a passing fault passes");
}

#[tokio::test]
async fn at_the_limit_an_endpoint_can_still_be_replaced() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    pipeline.set_up(&["customer"]).await;
    for number in 0..15 {
        let url = format!("https://example.com/{number}");
        account.post(&[("url", &url), ("enabled_events[]", "*")]).await;
    }
    let before = pipeline.secret().to_owned();
    pipeline.config.remove("webhook_secret");
    let said = pipeline.set_up(&["customer"]).await;
    assert!(said.error.is_none(), "{said:?}");
    assert_eq!(account.endpoints().len(), 16);
    assert_ne!(pipeline.secret(), before);
}

#[tokio::test]
async fn streams_without_events_need_no_endpoint() {
    let account = Account::start().await;
    let mut pipeline = account.pipeline(&json!({}));
    let said = pipeline.set_up(&["tax_code"]).await;
    assert!(said.error.is_none() && account.endpoints().is_empty(), "{said:?}");
}

#[test]
fn without_an_address_there_is_nothing_to_tear_down() {
    let config = json!({"api_key": "sk_test_1", "api_version": "2024-06-20"});
    let config: StripeConfig = serde_json::from_value(config).unwrap();
    assert!(StripeSource::default().teardown(config.clone()).is_none());
    assert!(StripeSource::default().setup(config, ConfiguredCatalog { streams: Vec::new() }).is_some());
}
